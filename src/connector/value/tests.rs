use super::*;
use crate::connector::contract::{CodeMap, Origin, Recast};
use chrono_tz::Tz;

fn column(ty: Type) -> Column {
    Column {
        name: "c".into(),
        from: vec!["C".into()],
        origin: Origin::Cell,
        optional: false,
        recast: Recast::default(),
        ty,
        required: false,
        one_of: Vec::new(),
        open_ended: Vec::new(),
        null: Vec::new(),
        place: None,
    }
}

fn money() -> Type {
    Type::Decimal { precision: 9, scale: 4, form: NumberForm::Plain }
}

fn day() -> Type {
    Type::Date { patterns: vec!["%d/%m/%Y".into()] }
}

fn clock() -> Type {
    Type::Timestamp { patterns: vec!["%d/%m/%Y %H:%M".into()], zone: Tz::Europe__London }
}

fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| t.to_string()).collect()
}

fn read(column: &Column, cell: Cell<'static>) -> Result<Value<'static>, String> {
    let mut reader = Reader::new(column, false).unwrap();
    reader.read(cell).map_err(|reason| reason.to_string())
}

#[track_caller]
fn good(column: &Column, text: &'static str, expect: Value<'static>) {
    assert_eq!(read(column, Cell::Text(text.into())), Ok(expect.clone()), "{text:?}");
    assert_eq!(read(column, Cell::Text(text.to_string().into())), Ok(expect), "{text:?} owned");
}

#[track_caller]
fn bad(column: &Column, text: &'static str, expect: &str) {
    assert_eq!(read(column, Cell::Text(text.into())), Err(expect.to_string()), "{text:?}");
}

#[test]
fn blanks_are_no_value_for_every_type() {
    let time = Type::Time { pattern: "%H:%M".into() };
    for ty in [Type::Text, Type::Bool, Type::Int, money(), day(), time, clock()] {
        let mut column = column(ty);
        for text in ["", " ", "\t", "\u{a0}"] {
            good(&column, text, Value::Null);
        }
        assert_eq!(read(&column, Cell::Null), Ok(Value::Null));
        column.required = true;
        bad(&column, "  ", "required c: the value is missing");
        assert_eq!(read(&column, Cell::Null), Err("required c: the value is missing".to_string()));
    }
}

#[test]
fn text_keeps_its_blanks_unless_the_layout_pads() {
    let column = column(Type::Text);
    good(&column, " a b ", Value::Text(" a b ".into()));
    let mut padded = Reader::new(&column, true).unwrap();
    assert_eq!(padded.read(Cell::Text(" a b ".into())), Ok(Value::Text("a b".into())));
    good(&column, "nul \0 stays", Value::Text("nul \0 stays".into()));
}

#[test]
fn typed_values() {
    for text in ["Y", "y", "1", "t", "TRUE", "Yes", " Y "] {
        good(&column(Type::Bool), text, Value::Bool(true));
    }
    for text in ["N", "0", "F", "false", "NO"] {
        good(&column(Type::Bool), text, Value::Bool(false));
    }
    good(&column(Type::Int), " 12 ", Value::Int(12));
    good(&column(money()), " 1.5 ", Value::Decimal(15_000));
    good(&column(day()), " 02/01/1970 ", Value::Date(1));
    good(&column(clock()), "01/07/2025 01:00", Value::Timestamp(1_751_328_000_000_000));
    good(&column(Type::Time { pattern: "%H:%M".into() }), "07:05", Value::Text("07:05:00".into()));
}

#[test]
fn refused_values_are_quoted() {
    bad(&column(Type::Bool), "Q", "not_a_bool c: \"Q\" is not Y/N, 1/0, T/F, true/false or yes/no");
    bad(&column(Type::Int), "1.5", "not_a_number c: \"1.5\" is not a whole number");
    bad(
        &column(Type::Int),
        "99999999999999999999",
        "too_many_digits c: \"99999999999999999999\" does not fit a whole number of 64 bits",
    );
    bad(&column(money()), "1.O", "not_a_number c: \"1.O\" is not a decimal(9,4)");
    bad(&column(money()), "0.12345", "too_many_digits c: \"0.12345\" does not fit a decimal(9,4)");
    bad(&column(day()), "31/02/2025", "not_a_date c: \"31/02/2025\" is not a date written dd/MM/yyyy");
    bad(
        &column(Type::Time { pattern: "%H:%M".into() }),
        "25:00",
        "not_a_time c: \"25:00\" is not a time written HH:mm",
    );
    bad(&column(clock()), "x", "not_a_timestamp c: \"x\" is not a timestamp written dd/MM/yyyy HH:mm");
    let autumn = "ambiguous_time c: \"26/10/2025 01:30\" happens twice in Europe/London";
    bad(&column(clock()), "26/10/2025 01:30", autumn);
    let spring = "ambiguous_time c: \"30/03/2025 01:30\" never happens in Europe/London";
    bad(&column(clock()), "30/03/2025 01:30", spring);
    bad(&column(Type::Int), "a\u{0}\nb", "not_a_number c: \"a\\u{0}\\nb\" is not a whole number");
}

#[test]
fn long_values_are_shortened_in_messages() {
    let reason =
        Reader::new(&column(Type::Int), false).unwrap().read(Cell::Text("é".repeat(1_000_000).into()));
    let text = reason.unwrap_err().to_string();
    assert_eq!(text, format!("not_a_number c: \"{}…\" is not a whole number", "é".repeat(80)));
}

#[test]
fn words_for_no_value_open_ends_and_codes() {
    let mut end = column(day());
    end.open_ended = words(&["31-DEC-4712"]);
    end.null = words(&["N/A"]);
    good(&end, "31-dec-4712", Value::Date(moment::days(OPEN_END)));
    good(&end, "31/12/9999", Value::Date(moment::days(OPEN_END)));
    good(&end, " n/a ", Value::Null);
    end.required = true;
    bad(&end, "N/A", "required c: \"N/A\" stands for no value");

    let mut status = column(Type::Text);
    status.one_of = words(&["A", "H"]);
    good(&status, " A ", Value::Text("A".into()));
    good(&status, "", Value::Null);
    bad(&status, "a", "not_accepted c: \"a\" is not one of A, H");

    let mut sex = column(Type::Int);
    sex.one_of = words(&["1", "2"]);
    good(&sex, "1", Value::Int(1));
    assert_eq!(read(&sex, Cell::Int(2)), Ok(Value::Int(2)));
    assert_eq!(read(&sex, Cell::Int(3)), Err("not_accepted c: \"3\" is not one of 1, 2".to_string()));
}

#[test]
fn integers_of_databases_follow_the_text_rules() {
    assert_eq!(read(&column(Type::Int), Cell::Int(i64::MIN)), Ok(Value::Int(i64::MIN)));
    assert_eq!(read(&column(money()), Cell::Int(-5)), Ok(Value::Decimal(-50_000)));
    assert_eq!(read(&column(Type::Bool), Cell::Int(1)), Ok(Value::Bool(true)));
    assert_eq!(read(&column(Type::Text), Cell::Int(7)), Ok(Value::Text("7".into())));
    let reason = "too_many_digits c: \"100000\" does not fit a decimal(9,4)";
    assert_eq!(read(&column(money()), Cell::Int(100_000)), Err(reason.to_string()));
}

#[test]
fn bytes_that_are_not_text() {
    let text = column(Type::Text);
    let malformed = "undecodable c: \"M\\xFCller\" has malformed bytes";
    assert_eq!(read(&text, Cell::Malformed(b"M\xFCller")), Err(malformed.to_string()));
    let blob = "undecodable c: 2 bytes of binary data are not text";
    assert_eq!(read(&text, Cell::Blob(b"\x00\x01")), Err(blob.to_string()));
}

#[test]
fn impossible_decimals_are_refused_before_reading() {
    for (precision, scale) in [(0, 0), (39, 0), (9, -1), (2, 3)] {
        let ty = Type::Decimal { precision, scale, form: NumberForm::Plain };
        assert!(Reader::new(&column(ty), false).is_err(), "decimal({precision},{scale})");
    }
}

#[track_caller]
fn typed(column: &Column, cell: Cell<'static>, expect: Result<Value<'static>, &str>) {
    assert_eq!(read(column, cell.clone()), expect.map_err(str::to_string), "{cell:?}");
}

fn units(units: i128, scale: u8) -> Cell<'static> {
    Cell::Decimal { units, scale }
}

/// 2025-07-01, as days.
const JULY: i32 = 20_270;

/// Microseconds of 2025-07-01 12:00.
const NOON: i64 = JULY as i64 * 86_400_000_000 + 43_200_000_000;

#[test]
fn typed_numbers_are_exact() {
    let (money, int, text) = (column(money()), column(Type::Int), column(Type::Text));
    typed(&money, units(150, 2), Ok(Value::Decimal(15_000)));
    typed(&money, units(150_000, 5), Ok(Value::Decimal(15_000)));
    typed(&money, Cell::Int(-7), Ok(Value::Decimal(-70_000)));
    typed(&money, units(1, 5), Err("too_many_digits c: \"0.00001\" does not fit a decimal(9,4)"));
    typed(&money, Cell::Int(100_000), Err("too_many_digits c: \"100000\" does not fit a decimal(9,4)"));
    typed(&int, units(3700, 2), Ok(Value::Int(37)));
    typed(&int, units(3750, 2), Err("not_a_number c: \"37.50\" is not a whole number"));
    let most = "18446744073709551615";
    let message = format!("too_many_digits c: \"{most}\" does not fit a whole number of 64 bits");
    typed(&int, units(most.parse().unwrap(), 0), Err(&message));
    typed(&text, units(-150, 2), Ok(Value::Text("-1.50".into())));
    typed(&text, Cell::Int(7), Ok(Value::Text("7".into())));
    typed(&column(day()), Cell::Int(7), Err("not_a_date c: \"7\" is not a date written dd/MM/yyyy"));
}

#[test]
fn typed_truth_values() {
    typed(&column(Type::Bool), Cell::Bool(true), Ok(Value::Bool(true)));
    typed(&column(Type::Bool), Cell::Int(0), Ok(Value::Bool(false)));
    typed(&column(Type::Bool), units(1, 0), Ok(Value::Bool(true)));
    typed(&column(Type::Text), Cell::Bool(false), Ok(Value::Text("false".into())));
    typed(&column(Type::Int), Cell::Bool(true), Err("not_a_number c: \"true\" is not a whole number"));
}

#[test]
fn typed_days_and_moments() {
    let (day, clock, text) = (column(day()), column(clock()), column(Type::Text));
    let midnight = i64::from(JULY) * 86_400_000_000;
    typed(&day, Cell::Date(JULY), Ok(Value::Date(JULY)));
    typed(&day, Cell::Local(midnight), Ok(Value::Date(JULY)));
    typed(
        &day,
        Cell::Local(NOON),
        Err("not_a_date c: \"2025-07-01 12:00:00\" is not a date written dd/MM/yyyy"),
    );
    let instant = "not_a_date c: \"2025-07-01 00:00:00Z\" is not a date written dd/MM/yyyy";
    typed(&day, Cell::Instant(midnight), Err(instant));
    typed(&clock, Cell::Local(NOON), Ok(Value::Timestamp(NOON - 3_600_000_000)));
    typed(&clock, Cell::Date(JULY), Ok(Value::Timestamp(midnight - 3_600_000_000)));
    typed(&clock, Cell::Instant(NOON + 1), Ok(Value::Timestamp(NOON + 1)));
    let autumn = 1_761_442_200_000_000;
    let twice = "ambiguous_time c: \"2025-10-26 01:30:00\" happens twice in Europe/London";
    typed(&clock, Cell::Local(autumn), Err(twice));
    typed(&clock, Cell::Instant(autumn), Ok(Value::Timestamp(autumn)));
    typed(&text, Cell::Date(JULY), Ok(Value::Text("2025-07-01".into())));
    typed(&text, Cell::Local(NOON + 250_000), Ok(Value::Text("2025-07-01 12:00:00.250".into())));
    typed(&text, Cell::Instant(NOON), Ok(Value::Text("2025-07-01 12:00:00Z".into())));
    // The years 0000 and 10000.
    typed(&day, Cell::Date(-719_163), Err("not_a_date c: \"0000-12-31\" is not a date written dd/MM/yyyy"));
    assert!(read(&day, Cell::Date(2_932_897)).is_err());
    assert!(read(&day, Cell::Date(i32::MAX)).is_err());
    assert!(read(&clock, Cell::Local(i64::MAX)).is_err());
    assert!(read(&clock, Cell::Instant(i64::MIN)).is_err());
}

#[test]
fn typed_times_of_day() {
    let time = column(Type::Time { pattern: "%H:%M".into() });
    typed(&time, Cell::Time(25_500_000_000), Ok(Value::Text("07:05:00".into())));
    typed(&time, Cell::Time(0), Ok(Value::Text("00:00:00".into())));
    for (micros, shown) in [
        (86_400_000_000, "24:00:00"),
        (-1_000_000, "-00:00:01"),
        (250_000, "00:00:00.250000"),
        (3_020_399_000_000, "838:59:59"),
    ] {
        let message = format!("not_a_time c: \"{shown}\" is not a time written HH:mm");
        typed(&time, Cell::Time(micros), Err(&message));
    }
    typed(&column(Type::Text), Cell::Time(250_000), Ok(Value::Text("00:00:00.250000".into())));
}

#[test]
fn words_mean_the_same_moments_in_typed_cells() {
    let mut day = column(day());
    day.open_ended = words(&["31/12/4712", "infinity"]);
    day.null = words(&["1900-01-01"]);
    let end = Ok(Value::Date(moment::days(OPEN_END)));
    typed(&day, Cell::Date(1_001_859), end.clone());
    typed(&day, Cell::Text("infinity".into()), end);
    typed(&day, Cell::Local(-25_567 * 86_400_000_000), Ok(Value::Null));
    typed(&day, Cell::Date(JULY), Ok(Value::Date(JULY)));
    let mut clock = column(clock());
    clock.null = words(&["01/07/2025 12:00"]);
    typed(&clock, Cell::Local(NOON), Ok(Value::Null));
    typed(&clock, Cell::Instant(NOON - 3_600_000_000), Ok(Value::Null));
    typed(&clock, Cell::Instant(NOON), Ok(Value::Timestamp(NOON)));
    let mut grade = column(Type::Int);
    (grade.null, grade.one_of) = (words(&["-1"]), words(&["1", "2"]));
    typed(&grade, Cell::Int(-1), Ok(Value::Null));
    typed(&grade, units(20, 1), Err("not_accepted c: \"2.0\" is not one of 1, 2"));
    typed(&grade, Cell::Int(3), Err("not_accepted c: \"3\" is not one of 1, 2"));
}

#[test]
fn texts_are_recast_before_they_are_read() {
    let recast = |ty: Type, recast: Recast, null: &[&str], received: &str| {
        let column = Column { recast, null: words(null), ..column(ty) };
        let mut reader = Reader::new(&column, false).unwrap();
        let value = reader.read(Cell::Text(received.into())).map(|value| format!("{value:?}"));
        (value.map_err(|reason| reason.to_string()), reader.take_unmapped().rows)
    };
    let take = Recast { take: Some("\\((\\d+)\\)$".into()), ..Recast::default() };
    assert_eq!(recast(Type::Int, take.clone(), &[], "COUNCIL (200398)"), (Ok("Int(200398)".into()), 0));
    assert_eq!(recast(Type::Int, take, &[], "COUNCIL"), (Ok("Null".into()), 0));
    let codes = || [("P".to_string(), "paid".to_string())].into();
    let map = |is_closed| Recast { map: Some(CodeMap { codes: codes(), is_closed }), ..Recast::default() };
    assert_eq!(recast(Type::Text, map(false), &[], " P "), (Ok("Text(\"paid\")".into()), 0));
    assert_eq!(recast(Type::Text, map(false), &[], "X"), (Ok("Text(\"X\")".into()), 1));
    assert_eq!(recast(Type::Text, map(false), &["X"], "X"), (Ok("Null".into()), 0));
    let closed = "unmapped c: \"X\" is not a code of the column's map";
    assert_eq!(recast(Type::Text, map(true), &[], "X"), (Err(closed.into()), 0));
    let default = Recast { default: Some("7".into()), ..Recast::default() };
    assert_eq!(recast(Type::Int, default.clone(), &["-"], "-"), (Ok("Int(7)".into()), 0));
    assert_eq!(recast(Type::Int, default, &[], ""), (Ok("Int(7)".into()), 0));
    let trim = Recast { trim: true, ..Recast::default() };
    assert_eq!(recast(Type::Text, trim, &[], " a "), (Ok("Text(\"a\")".into()), 0));
    let forgives = Recast { forgives: true, ..Recast::default() };
    assert_eq!(recast(Type::Int, forgives, &[], "x"), (Ok("Null".into()), 0));
    let wrong =
        Column { recast: Recast { default: Some("x".into()), ..Recast::default() }, ..column(Type::Int) };
    assert!(Reader::new(&wrong, false).unwrap_err().to_string().starts_with("the default of column 'c'"));
}

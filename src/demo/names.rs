//! Names of people and firms, none of them real, some of them hard on an old code page.

use rand::Rng;

/// Surnames.
pub(super) const SURNAMES: &[&str] = &[
    "Abbott", "Adeyemi", "Ahmed", "Ali", "Allen", "Anderson", "Armstrong", "Atkinson", "Bailey", "Baker",
    "Banerjee", "Barker", "Barnes", "Begum", "Bell", "Bennett", "Berry", "Bishop", "Booth", "Bradley",
    "Brontë", "Brooks", "Brown", "Burke", "Butler", "Campbell", "Carter", "Chambers", "Chapman", "Chaudhry",
    "Clarke", "Cole", "Collins", "Cook", "Cooper", "Cox", "Crawford", "Cunningham", "Davies", "Dawson",
    "Dean", "Dixon", "Doyle", "Edwards", "Elliott", "Evans", "Farrell", "Fisher", "Fitzgerald", "Fletcher",
    "Ford", "Foster", "Fox", "Francis", "Freeman", "García", "George", "Gibson", "Gill", "Gordon", "Graham",
    "Grant", "Gray", "Green", "Griffiths", "Hall", "Hamilton", "Harris", "Harrison", "Hart", "Harvey",
    "Hayes", "Henderson", "Hill", "Holmes", "Hughes", "Hunt", "Hussain", "Iqbal", "Jackson", "James",
    "Jenkins", "Johnson", "Jones", "Jordan", "Kaur", "Kelly", "Kennedy", "Khan", "King", "Knight",
    "Kowalski", "Lawrence", "Lee", "Lewis", "Lloyd", "Macdonald", "Marshall", "Martin", "Mason",
    "Matthews", "McCarthy", "Mendonça", "Miller", "Mills", "Mitchell", "Moore", "Morgan", "Morris",
    "Muñoz", "Murphy", "Murray", "Nowak", "O'Brien", "O'Connor", "O'Neill", "Okafor", "Osei", "Owen",
    "Palmer", "Parker", "Patel", "Pearson", "Perry", "Phillips", "Porter", "Powell", "Price", "Rahman",
    "Reid", "Reynolds", "Richards", "Roberts", "Robinson", "Rose", "Ryan", "Saunders", "Scott", "Shah",
    "Sharma", "Shaw", "Simpson", "Singh", "Smith", "Spencer-Hall", "Stevens", "Stewart", "Sutton",
    "Taylor", "Thomas", "Thompson", "Turner", "Walker", "Walsh", "Ward", "Watson", "Webb", "West",
    "White", "Williams", "Wilson", "Wood", "Wright", "Young", "Zając",
];

/// Women's first names.
const WOMEN: &[&str] = &[
    "Abigail", "Aisha", "Alice", "Amelia", "Amy", "Anita", "Anna", "Beth", "Carys", "Charlotte", "Chloë",
    "Claire", "Daisy", "Eleanor", "Ella", "Emily", "Emma", "Fatima", "Freya", "Gemma", "Grace", "Hannah",
    "Harpreet", "Heather", "Helen", "Holly", "Isla", "Jade", "Jane", "Jessica", "Joanne", "Karen", "Kate",
    "Laura", "Lauren", "Leah", "Louise", "Lucy", "Maria", "Megan", "Mia", "Nadia", "Natalie", "Nia",
    "Olivia", "Priya", "Rachel", "Rebecca", "Renée", "Ruth", "Sarah", "Siân", "Sophie", "Susan", "Tara",
    "Victoria", "Yasmin", "Zara", "Zoë",
];

/// Men's first names.
const MEN: &[&str] = &[
    "Adam", "Alan", "Alex", "Amir", "Andrew", "Anthony", "Ben", "Callum", "Charlie", "Chris", "Connor",
    "Craig", "Daniel", "David", "Dylan", "Edward", "Ethan", "Finlay", "Gareth", "George", "Graham", "Gurdeep",
    "Harry", "Ian", "Imran", "Jack", "Jacob", "James", "Jamie", "Joe", "John", "Jordan", "José", "Joshua",
    "Kevin", "Kieran", "Lee", "Lewis", "Liam", "Luke", "Mark", "Matthew", "Michael", "Mohammed", "Nathan",
    "Neil", "Oliver", "Oscar", "Owen", "Paul", "Peter", "Rhys", "Richard", "Robert", "Ryan", "Sam", "Scott",
    "Sean", "Simon", "Stephen", "Steven", "Thomas", "Tom", "William",
];

const TRADES: &[&str] = &[
    "Automotive", "Building Services", "Catering", "Cleaning", "Communications", "Consulting", "Couriers",
    "Custody Care", "Data Systems", "Electrical", "Engineering", "Fleet", "Forensics", "Fuels", "Furniture",
    "Grounds Care", "Healthcare", "Insurance", "Interpreting", "Kennels", "Legal", "Locksmiths", "Medical",
    "Office Supplies", "Pest Control", "Print", "Radio", "Recovery", "Recruitment", "Security", "Software",
    "Telecoms", "Training", "Translation", "Tyres", "Uniforms", "Utilities", "Vehicle Hire", "Veterinary",
    "Waste",
];

const SUFFIXES: &[&str] = &["Ltd", "Limited", "LLP", "plc", "& Sons Ltd", "Group", "(UK) Ltd", "Partnership"];

/// Firms whose names are hard on delimiters, quotes and code pages.
pub(super) const AWKWARD_FIRMS: &[&str] = &[
    "Smith & Jones’ Garages Ltd",
    "The £1 Stationery Shop",
    "\"Quick Fix\" Locksmiths; 24 hours",
    "Müller | Söhne (UK) Ltd",
    "Café Siân, Catering",
];

/// A first name and sometimes a second, for a sex of `F`, `M` or `X`.
pub(super) fn forenames(rng: &mut impl Rng, sex: char) -> String {
    let list = match sex {
        'F' => WOMEN,
        'M' => MEN,
        _ if rng.random_bool(0.5) => WOMEN,
        _ => MEN,
    };
    let first = pick(rng, list);
    let second = pick(rng, list);
    if rng.random_bool(0.3) && first != second { format!("{first} {second}") } else { first.to_owned() }
}

/// A surname that Windows-1252 can carry if it has to.
pub(super) fn surname(rng: &mut impl Rng, western: bool) -> &'static str {
    let name = pick(rng, SURNAMES);
    // Polish letters are in UTF-8 systems only.
    if western && name == "Zając" { "Zajac" } else { name }
}

/// A firm's name.
pub(super) fn firm(rng: &mut impl Rng) -> String {
    format!("{} {} {}", surname(rng, true), pick(rng, TRADES), pick(rng, SUFFIXES))
}

/// A postcode of the eastern counties.
pub(super) fn postcode(rng: &mut impl Rng) -> String {
    let area = pick(rng, &["MK", "LU", "SG", "AL", "WD", "CB", "PE", "EN", "HP"]);
    let letters = b"ABDEFGHJLNPQRSTUWXYZ";
    let mut letter = || char::from(letters[rng.random_range(0..letters.len())]);
    let (a, b) = (letter(), letter());
    format!("{area}{} {}{a}{b}", rng.random_range(1..30), rng.random_range(1..10))
}

/// One of a list.
pub(super) fn pick<T: Copy>(rng: &mut impl Rng, list: &[T]) -> T {
    list[rng.random_range(0..list.len())]
}

//! What one client sees of one hub, message by message, and whether two clients can tell that they
//! do not see the same hub.

use super::world::{FOREIGN, OWN};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery, CommandStatementQuery,
    ProstMessageExt,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, FlightInfo, Ticket};
use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::ipc::root_as_message;
use datafusion::arrow::util::display::array_value_to_string;
use futures::{StreamExt, TryStreamExt, stream};
use memchr::memmem;
use prost::Message;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// The header that pins one call to an instant.
const AS_OF: &str = "x-muster-as-of";

/// What is asked.
#[derive(Debug, Clone)]
pub enum Question {
    /// A text: announced, then fetched. With an instant, as of that.
    Rows(String, Option<String>),
    /// The columns of a text.
    Columns(String),
    /// A text that is prepared, bound to a row of values, announced, fetched and forgotten.
    Prepared(String, RecordBatch),
    /// A listing of the protocol, as a command.
    Listing(Bytes),
}

impl Question {
    pub fn text(sql: impl Into<String>) -> Self {
        Self::Rows(sql.into(), None)
    }

    pub fn listing<M: ProstMessageExt>(command: &M) -> Self {
        Self::Listing(command.as_any().encode_to_vec().into())
    }

    /// The same in other words, so that no answer to it is remembered.
    pub fn anew(&self, time: usize) -> Self {
        let said = |sql: &String| format!("{sql}{}", " ".repeat(time));
        match self {
            Self::Rows(sql, as_of) => Self::Rows(said(sql), as_of.clone()),
            Self::Columns(sql) => Self::Columns(said(sql)),
            Self::Prepared(sql, values) => Self::Prepared(said(sql), values.clone()),
            Self::Listing(command) => Self::Listing(command.clone()),
        }
    }

    /// Whether `word` is in it, so that it may be in the answer too.
    fn says(&self, word: &str) -> bool {
        match self {
            Self::Rows(sql, _) | Self::Columns(sql) => sql.to_lowercase().contains(word),
            Self::Prepared(sql, values) => {
                sql.to_lowercase().contains(word) || format!("{values:?}").to_lowercase().contains(word)
            }
            Self::Listing(command) => memmem::find(command, word.as_bytes()).is_some(),
        }
    }
}

/// Everything that a client received.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The columns of the answer and of the parameters, as they were announced.
    schemas: Vec<Bytes>,
    /// What was announced of the rows: their number, bytes and order, endpoints, places, the length of
    /// the ticket.
    figures: Vec<i64>,
    /// What was sent.
    messages: Vec<FlightData>,
    /// Why it ended before its end.
    pub refusal: Option<(Code, String)>,
}

impl Seen {
    /// The number of rows.
    pub fn rows(&self) -> i64 {
        let length = |data: &FlightData| {
            root_as_message(&data.data_header).ok()?.header_as_record_batch().map(|batch| batch.length())
        };
        self.messages.iter().filter_map(length).sum()
    }

    /// Header and body bytes of each message, and how many columns each holds.
    fn sizes(&self) -> Vec<(usize, usize)> {
        let mut sizes: Vec<_> =
            self.messages.iter().map(|m| (m.data_header.len(), m.data_body.len())).collect();
        sizes.sort_unstable();
        sizes
    }

    /// Whether it is the same to the byte.
    fn is(&self, other: &Self) -> bool {
        let bytes = |seen: &Self| {
            seen.messages
                .iter()
                .map(|m| (m.data_header.clone(), m.data_body.clone(), m.app_metadata.clone()))
                .collect::<Vec<_>>()
        };
        self.schemas == other.schemas
            && self.figures == other.figures
            && self.refusal == other.refusal
            && bytes(self) == bytes(other)
    }

    /// The rows as texts, in the order in which they came.
    pub async fn lines(&self) -> Vec<String> {
        let messages = stream::iter(self.messages.clone()).map(Ok);
        let batches: Vec<RecordBatch> =
            FlightRecordBatchStream::new_from_flight_data(messages).try_collect().await.unwrap();
        let mut lines = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let cell = |column| array_value_to_string(column, row).unwrap();
                let cells = batch.columns().iter().map(|column| match column.is_null(row) {
                    true => "∅".to_string(),
                    false => cell(column),
                });
                lines.push(cells.collect::<Vec<_>>().join(" | "));
            }
        }
        lines
    }

    /// In what the two differ; `None` when nobody could tell. `ordered`: the statement fixes the order
    /// of its rows; otherwise it is chance, and so is which rows share a message.
    pub async fn differs(&self, other: &Self, ordered: bool) -> Option<Difference> {
        if self.is(other) {
            return None;
        }
        let said = |what: String| Some(Difference::Said(what));
        if self.refusal != other.refusal {
            return said(format!("refusal: {:?} or {:?}", self.refusal, other.refusal));
        }
        if self.schemas != other.schemas {
            return said("columns".into());
        }
        if self.figures != other.figures {
            return said(format!("announced: {:?} or {:?}", self.figures, other.figures));
        }
        if self.refusal.is_some() {
            // How much was sent before an error is a matter of the moment in which it was met.
            return None;
        }
        let (mut ours, mut theirs) = (self.lines().await, other.lines().await);
        if !ordered {
            ours.sort_unstable();
            theirs.sort_unstable();
        }
        if ours != theirs {
            let only = |a: &[String], b: &[String]| {
                a.iter().filter(|line| !b.contains(line)).take(3).cloned().collect::<Vec<_>>()
            };
            let (first, second) = (only(&ours, &theirs), only(&theirs, &ours));
            return said(format!("rows: {} {first:?} or {} {second:?}", ours.len(), theirs.len()));
        }
        let (ours, theirs) = (self.sizes(), other.sizes());
        (ours != theirs).then(|| Difference::Cut(format!("messages: {ours:?} or {theirs:?}")))
    }

    /// What of it nobody of the force may see: a word of the other force, a cell value in an error, a
    /// file of the lake.
    pub fn betrays(&self, question: &Question) -> Option<String> {
        let unasked = |word: &&str| !question.says(word);
        if let Some(word) = [FOREIGN, "birch"].into_iter().filter(unasked).find(|word| self.holds(word)) {
            return Some(format!("the word \"{word}\" is in it"));
        }
        let (_, text) = self.refusal.as_ref()?;
        let told = [OWN, ".parquet", "_delta_log", "/lake/", "force="];
        let told = told.into_iter().filter(unasked).find(|word| text.contains(word));
        told.map(|word| format!("\"{word}\" is in an error: {text}"))
    }

    /// Whether `word` is anywhere in what was received.
    pub fn holds(&self, word: &str) -> bool {
        let finder = memmem::Finder::new(word);
        let mut parts = self.messages.iter().flat_map(|m| [&m.data_header, &m.data_body, &m.app_metadata]);
        parts.any(|bytes| finder.find(bytes).is_some())
            || self.schemas.iter().any(|schema| finder.find(schema).is_some())
            || self.refusal.as_ref().is_some_and(|(_, text)| text.contains(word))
    }
}

/// In what two answers differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// In what they say.
    Said(String),
    /// In how the same rows are cut into messages.
    Cut(String),
}

/// A client that has logged in.
#[derive(Clone)]
pub struct Client {
    inner: FlightServiceClient<Channel>,
    token: String,
}

impl Client {
    pub fn new(inner: FlightServiceClient<Channel>, token: &str) -> Self {
        Self { inner: inner.max_decoding_message_size(64 << 20), token: format!("Bearer {token}") }
    }

    /// What it sees when it asks.
    pub async fn ask(&mut self, question: &Question) -> Seen {
        let mut seen = Seen::default();
        if let Err(status) = self.answer(question, &mut seen).await {
            seen.refusal = Some((status.code(), status.message().to_string()));
        }
        seen
    }

    async fn answer(&mut self, question: &Question, seen: &mut Seen) -> Result<(), Status> {
        match question {
            Question::Rows(sql, as_of) => {
                let command = CommandStatementQuery { query: sql.clone(), transaction_id: None };
                self.announced(command.as_any(), as_of.as_deref(), seen).await
            }
            Question::Columns(sql) => {
                let command = CommandStatementQuery { query: sql.clone(), transaction_id: None };
                let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
                let request = self.request(descriptor, None);
                seen.schemas.push(self.inner.get_schema(request).await?.into_inner().schema);
                Ok(())
            }
            Question::Prepared(sql, values) => self.prepared(sql, values, seen).await,
            Question::Listing(command) => {
                let descriptor = FlightDescriptor::new_cmd(command.clone());
                let info = self.info(descriptor, None, seen).await?;
                self.fetch(info, None, seen).await
            }
        }
    }

    async fn announced(&mut self, command: Any, as_of: Option<&str>, seen: &mut Seen) -> Result<(), Status> {
        let info = self.info(FlightDescriptor::new_cmd(command.encode_to_vec()), as_of, seen).await?;
        self.fetch(info, as_of, seen).await
    }

    async fn info(
        &mut self,
        descriptor: FlightDescriptor,
        as_of: Option<&str>,
        seen: &mut Seen,
    ) -> Result<FlightInfo, Status> {
        let info = self.inner.get_flight_info(self.request(descriptor, as_of)).await?.into_inner();
        seen.schemas.push(info.schema.clone());
        seen.schemas.push(info.app_metadata.clone());
        let tickets = info.endpoint.iter().filter_map(|e| e.ticket.as_ref());
        let tickets = tickets.map(|ticket| ticket.ticket.len()).sum::<usize>();
        let places = info.endpoint.iter().map(|endpoint| endpoint.location.len()).sum::<usize>();
        let counts = [info.endpoint.len(), places, tickets, usize::from(info.ordered)];
        seen.figures.extend([info.total_records, info.total_bytes]);
        seen.figures.extend(counts.map(|count| i64::try_from(count).unwrap()));
        Ok(info)
    }

    async fn fetch(&mut self, info: FlightInfo, as_of: Option<&str>, seen: &mut Seen) -> Result<(), Status> {
        for endpoint in info.endpoint {
            self.redeem(endpoint.ticket.unwrap_or_default(), as_of, seen).await?;
        }
        Ok(())
    }

    /// Fetches what is behind a ticket.
    pub async fn redeem(
        &mut self,
        ticket: Ticket,
        as_of: Option<&str>,
        seen: &mut Seen,
    ) -> Result<(), Status> {
        let mut messages = self.inner.do_get(self.request(ticket, as_of)).await?.into_inner();
        while let Some(message) = messages.message().await? {
            seen.messages.push(message);
        }
        Ok(())
    }

    /// The ticket for a text.
    pub async fn ticket(&mut self, sql: &str) -> Ticket {
        let command = CommandStatementQuery { query: sql.into(), transaction_id: None };
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let info = self.info(descriptor, None, &mut Seen::default()).await.unwrap();
        info.endpoint[0].ticket.clone().unwrap()
    }

    /// The handle of a text that is prepared from now on.
    pub async fn prepare(&mut self, sql: &str, seen: &mut Seen) -> Result<Bytes, Status> {
        let create = ActionCreatePreparedStatementRequest { query: sql.into(), transaction_id: None };
        let created = self.act("CreatePreparedStatement", &create).await?;
        let created = created.ok_or_else(|| Status::internal("no answer"))?;
        let any = Any::decode(created).unwrap();
        let created: ActionCreatePreparedStatementResult = any.unpack().unwrap().unwrap();
        seen.schemas.extend([created.dataset_schema, created.parameter_schema]);
        Ok(created.prepared_statement_handle)
    }

    /// Fetches the answer of a prepared statement.
    pub async fn run(&mut self, handle: &Bytes, seen: &mut Seen) -> Result<(), Status> {
        let command = CommandPreparedStatementQuery { prepared_statement_handle: handle.clone() };
        self.announced(command.as_any(), None, seen).await
    }

    async fn prepared(&mut self, sql: &str, values: &RecordBatch, seen: &mut Seen) -> Result<(), Status> {
        let handle = self.prepare(sql, seen).await?;
        let done = async {
            self.bind(&handle, values).await?;
            self.run(&handle, seen).await
        };
        let done = done.await;
        self.close(&handle).await?;
        done
    }

    /// Forgets a prepared statement.
    pub async fn close(&mut self, handle: &Bytes) -> Result<(), Status> {
        let close = ActionClosePreparedStatementRequest { prepared_statement_handle: handle.clone() };
        self.act("ClosePreparedStatement", &close).await.map(drop)
    }

    /// Binds values to the parameters of a prepared statement.
    pub async fn bind(&mut self, handle: &Bytes, values: &RecordBatch) -> Result<(), Status> {
        let command = CommandPreparedStatementQuery { prepared_statement_handle: handle.clone() };
        let messages = FlightDataEncoderBuilder::new()
            .with_flight_descriptor(Some(FlightDescriptor::new_cmd(command.as_any().encode_to_vec())))
            .build(stream::iter([Ok(values.clone())]));
        let messages: Vec<FlightData> = messages.try_collect().await.unwrap();
        let request = self.request(stream::iter(messages), None);
        self.inner.do_put(request).await?.into_inner().message().await.map(drop)
    }

    async fn act<M: ProstMessageExt>(&mut self, name: &str, body: &M) -> Result<Option<Bytes>, Status> {
        let action = Action { r#type: name.into(), body: body.as_any().encode_to_vec().into() };
        let mut results = self.inner.do_action(self.request(action, None)).await?.into_inner();
        Ok(results.message().await?.map(|result| result.body))
    }

    fn request<T>(&self, message: T, as_of: Option<&str>) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", self.token.parse().unwrap());
        if let Some(instant) = as_of {
            request.metadata_mut().insert(AS_OF, instant.parse().unwrap());
        }
        request
    }
}

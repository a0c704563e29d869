//! Connections through a driver. Drivers block, so each connection has a thread of its own; who
//! gives a thread up leaves it behind until the driver returns.

use crate::connector::transport::odbc::drivers;
use crate::connector::transport::odbc::fault::Broken;
use arrow_odbc::odbc_api::{Connection, ConnectionOptions, Cursor, environment, escape_attribute_value};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Something to do with the connection.
type Job = Box<dyn FnOnce(&Connection<'static>) + Send>;

/// The rows of a short answer, as texts.
pub(super) type Answer = Vec<Vec<Option<String>>>;

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    jobs: mpsc::Sender<Job>,
}

/// Who enters what.
#[derive(Clone)]
pub(super) struct Entrance {
    /// The attributes of the connection, without the user.
    pub(super) attributes: String,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// How long entering may take.
    pub(super) seconds: u32,
}

impl Link {
    /// Connects; gives the name of the product as well.
    pub(super) async fn open(entrance: Entrance) -> Result<(Self, String), Broken> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let (reply, entered) = oneshot::channel();
        let serve = move || match entrance.enter() {
            Ok(connection) => {
                let name = connection.database_management_system_name().unwrap_or_default();
                if reply.send(Ok(name)).is_ok() {
                    for job in waiting {
                        job(&connection);
                    }
                }
                // A driver that is within a transaction refuses to go otherwise.
                connection.rollback().ok();
            }
            Err(error) => drop(reply.send(Err(error))),
        };
        std::thread::Builder::new().name("odbc".into()).spawn(serve).map_err(|_| Broken::Gone)?;
        let name = entered.await.map_err(|_| Broken::Gone)??;
        Ok((Self { jobs }, name))
    }

    /// Does something with the connection, after what was asked before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection<'static>) -> T + Send + 'static,
    ) -> Result<T, Broken> {
        let (reply, done) = oneshot::channel();
        self.start(move |connection| drop(reply.send(work(connection))))?;
        done.await.map_err(|_| Broken::Gone)
    }

    /// Starts to do something with the connection.
    pub(super) fn start(
        &self,
        work: impl FnOnce(&Connection<'static>) + Send + 'static,
    ) -> Result<(), Broken> {
        self.jobs.send(Box::new(work)).map_err(|_| Broken::Gone)
    }

    /// Runs a query with a short answer, or none.
    pub(super) async fn ask(&self, query: String, seconds: Option<usize>) -> Result<Answer, Broken> {
        self.run(move |connection| ask(connection, &query, seconds)).await?
    }
}

fn ask(connection: &Connection<'static>, query: &str, seconds: Option<usize>) -> Result<Answer, Broken> {
    let mut rows = Vec::new();
    let Some(mut cursor) = connection.execute(query, (), seconds)? else { return Ok(rows) };
    let columns = arrow_odbc::odbc_api::ResultSetMetadata::num_result_cols(&mut cursor)?;
    let mut units = Vec::new();
    while let Some(mut row) = cursor.next_row()? {
        let mut cells = Vec::new();
        for column in 1..=u16::try_from(columns).unwrap_or_default() {
            units.clear();
            let is_there = row.get_wide_text(column, &mut units)?;
            cells.push(is_there.then(|| String::from_utf16_lossy(&units)));
        }
        rows.push(cells);
    }
    Ok(rows)
}

impl Entrance {
    fn enter(&self) -> Result<Connection<'static>, Broken> {
        let environment = environment()?;
        let mut attributes = drivers::placed(&self.attributes, environment);
        for (key, value) in [("UID", &self.user), ("PWD", &self.password)] {
            if let Some(value) = value {
                attributes += &format!(";{key}={}", escape_attribute_value(value));
            }
        }
        let options =
            ConnectionOptions { login_timeout_sec: Some(self.seconds), ..ConnectionOptions::default() };
        match environment.connect_with_connection_string(&attributes, options) {
            // Some drivers know no limit.
            Err(arrow_odbc::odbc_api::Error::Diagnostics { record, .. })
                if ["HYC00", "HY092"].contains(&record.state.as_str()) =>
            {
                let options = ConnectionOptions::default();
                Ok(environment.connect_with_connection_string(&attributes, options)?)
            }
            entered => Ok(entered?),
        }
    }
}

//! Actions: what a client asks for besides plans and rows.

use super::session::Call;
use super::{Service, cancel, envelope, options, prepared};
use arrow_flight::{Action, ActionType};
use bytes::Bytes;
use tonic::Status;

/// The actions that the service offers.
pub(super) fn all() -> impl Iterator<Item = ActionType> + Send {
    let described = prepared::ACTIONS
        .into_iter()
        .chain(cancel::ACTIONS)
        .map(|(name, description)| ActionType { r#type: name.into(), description: description.into() });
    described.chain(options::actions())
}

/// Whether `action` succeeds whatever its body and whoever sends it: the ODBC driver closes
/// prepared statements in a destructor, where an error ends the client's process.
pub(super) fn never_fails(action: &Action) -> bool {
    action.r#type == prepared::CLOSE
}

impl Service {
    /// Answers an action.
    pub(super) async fn act(
        &self,
        call: &Call,
        action: Action,
    ) -> Result<Option<arrow_flight::Result>, Status> {
        let body = &action.body;
        match action.r#type.as_str() {
            prepared::CREATE => self.prepare(call, envelope::message(body)?).await.map(answer),
            prepared::CLOSE => {
                self.close_prepared(call, body);
                Ok(None)
            }
            cancel::CANCEL => self.cancel_flight_info(call, body).map(answer),
            cancel::CANCEL_QUERY => self.cancel_query(call, body).map(answer),
            cancel::RENEW => self.renew(call, body).map(answer),
            options::SET => self.set_options(call, body).await.map(answer),
            options::GET => Ok(answer(self.get_options(call))),
            options::CLOSE => Ok(answer(self.close_session(call))),
            "CreatePreparedSubstraitPlan" => Err(no_substrait()),
            "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => {
                Err(Status::unimplemented("transactions are not offered: the hub is read-only"))
            }
            _ => Err(Status::unimplemented("this action is not offered")),
        }
    }
}

fn answer(body: Bytes) -> Option<arrow_flight::Result> {
    Some(arrow_flight::Result { body })
}

/// The answer to a plan that is not SQL.
pub(super) fn no_substrait() -> Status {
    Status::unimplemented("Substrait plans are not offered; send SQL")
}

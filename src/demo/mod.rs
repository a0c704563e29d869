//! demo.
use crate::error::Result;
/// E.
pub struct Estate {
    pub staff: usize,
    pub seed: u64,
}
impl Estate {
    /// W.
    pub async fn write(
        &self,
        _dir: &std::path::Path,
        _flight: &str,
        _users: &std::collections::BTreeMap<String, String>,
    ) -> Result<()> {
        Ok(())
    }
}

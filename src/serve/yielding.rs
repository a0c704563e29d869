//! Plans that let go of the processor often enough to be ended.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use std::sync::Arc;

/// `plan` with a place to stop after every batch of a join. The engine has such places where rows
/// are read, but a join makes a million batches of one that it reads, and an aggregate above it
/// takes them all in one go: nobody could cancel it.
pub(super) fn yielding(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let wrapped = plan.transform_up(|node| {
        Ok(match node.children().len() {
            0 | 1 => Transformed::no(node),
            _ => Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>),
        })
    });
    Ok(wrapped?.data)
}

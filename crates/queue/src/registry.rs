//! The task types that a runner knows, their Rust types erased.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::{BoxFuture, FutureExt as _};

use crate::{Burial, HookError, Lease, Task, TaskError};

type Handler<C> = Box<dyn Fn(Arc<C>, String, Lease) -> BoxFuture<'static, Result<(), TaskError>> + Send + Sync>;
type Hook<C> = Box<dyn Fn(Arc<C>, Burial) -> BoxFuture<'static, Result<(), HookError>> + Send + Sync>;

pub struct Kind<C> {
    pub queue: &'static str,
    pub handler: Handler<C>,
    pub on_dead: Option<Hook<C>>,
}

pub type Kinds<C> = BTreeMap<&'static str, Kind<C>>;

pub fn handler<C, T, H, F>(handler: H) -> Handler<C>
where
    C: Send + Sync + 'static,
    T: Task,
    H: Fn(Arc<C>, T, Lease) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    let handler = Arc::new(handler);
    Box::new(move |context, payload, lease| {
        let handler = handler.clone();
        async move {
            let task = serde_json::from_str(&payload)
                .map_err(|error| TaskError::permanent(format!("The stored task could not be read: {error}")))?;
            handler(context, task, lease).await
        }
        .boxed()
    })
}

pub fn hook<C, T, H, F>(hook: H) -> Hook<C>
where
    C: Send + Sync + 'static,
    T: Task,
    H: Fn(Arc<C>, T, Burial) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), HookError>> + Send + 'static,
{
    let hook = Arc::new(hook);
    Box::new(move |context, burial| {
        let hook = hook.clone();
        async move {
            match serde_json::from_str(burial.payload()) {
                Ok(task) => hook(context, task, burial).await,
                Err(error) => {
                    tracing::error!(task.id = %burial.task_id(), %error, "a task is buried without its hook: unreadable");
                    Ok(())
                }
            }
        }
        .boxed()
    })
}

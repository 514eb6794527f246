//! One part on its way. XMLHttpRequest, because fetch tells no progress.

use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, ProgressEvent, XmlHttpRequest};

/// The server gives a part up that does not move; this is for lines that are dead unnoticed.
const GIVEN_UP_AFTER_MS: u32 = 600_000;

pub struct Part {
    request: XmlHttpRequest,
    ended: Promise,
}

impl Part {
    /// Starts to send; `progress` hears how many bytes are out.
    pub fn send(address: &str, bytes: &Blob, progress: impl Fn(u64) + 'static) -> Result<Self, JsValue> {
        let request = XmlHttpRequest::new()?;
        request.open("PUT", address)?;
        let moved = listener(move |event: ProgressEvent| progress(event.loaded() as u64));
        request.upload()?.set_onprogress(Some(&moved));
        request.set_timeout(GIVEN_UP_AFTER_MS);
        let watched = request.clone();
        let ended = Promise::new(&mut |resolve: Function, reject: Function| {
            let answered = watched.clone();
            watched.set_onload(Some(&listener(move |_: ProgressEvent| {
                let status = answered.status().unwrap_or_default();
                // A promise takes whatever it is given.
                drop(resolve.call1(&JsValue::NULL, &status.into()));
            })));
            watched.set_onerror(Some(&reject));
            watched.set_onabort(Some(&reject));
            watched.set_ontimeout(Some(&reject));
        });
        request.send_with_opt_blob(Some(bytes))?;
        Ok(Self { request, ended })
    }

    /// For giving it up.
    pub fn request(&self) -> XmlHttpRequest {
        self.request.clone()
    }

    /// The status of the answer; `None` if there was none.
    pub async fn status(self) -> Option<u16> {
        let status = JsFuture::from(self.ended).await.ok()?;
        status.as_f64().map(|status| status as u16)
    }
}

fn listener(work: impl FnMut(ProgressEvent) + 'static) -> Function {
    Closure::<dyn FnMut(ProgressEvent)>::new(work)
        .into_js_value()
        .unchecked_into()
}

//! Files that the browser keeps until they are uploaded, so that an upload goes on after a reload. A browser without room or
//! right to keep them keeps none: the person is then asked for the file again.

use cerebros_common::ids::UploadId;
use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, IdbDatabase, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransactionMode, window};

const DATABASE: &str = "cerebros-uploads";
const STORE: &str = "files";

pub async fn keep(id: UploadId, file: &File) {
    // Without room it is not kept.
    let _ = try_keep(id, file).await;
}

async fn try_keep(id: UploadId, file: &File) -> Result<(), JsValue> {
    let store = open(IdbTransactionMode::Readwrite).await?;
    done(&store.put_with_key(file, &id.to_string().into())?)
        .await
        .map(|_| ())
}

pub async fn find(id: UploadId) -> Option<File> {
    let store = open(IdbTransactionMode::Readonly).await.ok()?;
    let found = done(&store.get(&id.to_string().into()).ok()?).await.ok()?;
    found.dyn_into().ok()
}

pub async fn forget(id: UploadId) {
    if let Ok(store) = open(IdbTransactionMode::Readwrite).await
        && let Ok(request) = store.delete(&id.to_string().into())
    {
        let _ = done(&request).await;
    }
}

pub async fn clear() {
    if let Ok(store) = open(IdbTransactionMode::Readwrite).await
        && let Ok(request) = store.clear()
    {
        let _ = done(&request).await;
    }
}

async fn open(mode: IdbTransactionMode) -> Result<IdbObjectStore, JsValue> {
    let factory = window().and_then(|window| window.indexed_db().ok().flatten());
    let request = factory.ok_or(JsValue::NULL)?.open_with_u32(DATABASE, 1)?;
    let making: IdbOpenDbRequest = request.clone();
    let make = Closure::once_into_js(move |_: JsValue| {
        let database: Result<IdbDatabase, _> = making.result().and_then(JsCast::dyn_into);
        // A store that cannot be made fails the opening.
        drop(database.map(|database| database.create_object_store(STORE)));
    });
    request.set_onupgradeneeded(Some(make.unchecked_ref()));
    let database: IdbDatabase = done(&request).await?.dyn_into()?;
    database.transaction_with_str_and_mode(STORE, mode)?.object_store(STORE)
}

async fn done(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let ended = Promise::new(&mut |resolve: Function, reject: Function| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(ended).await?;
    request.result()
}

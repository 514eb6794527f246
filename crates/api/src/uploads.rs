//! Files in parts: beginning, signing addresses, taking parts, collecting what nobody completes.

mod complete;

pub use complete::{CompleteUpload, bury, run};

use crate::{
    deadlines,
    error::{AppError, AppResult},
    idempotency::{Answer, Turn},
    keys::{Keys, Purpose},
    state::App,
    storage::{self, Parts},
    upload::{clean_name, too_large},
};
use actix_web::{rt, web};
use cerebros_common::{
    errors::ErrorCode,
    ids::UploadId,
    uploads::{NewUpload, PartAddress, PartAddresses, PartSignature, Upload, UploadEnd, UploadStatus},
};
use cerebros_db::{
    self as db, DbError, Scope, Write,
    uploads::{BegunUpload, LocatedUpload},
};
use cerebros_queue::{Enqueue, enqueue};
use chrono::{DateTime, Duration, Utc};
use futures_util::{StreamExt, TryStreamExt};
use ring::hmac;
use std::{collections::BTreeMap, io, sync::Arc};
use uuid::Uuid;

/// A bucket takes no smaller parts but the last.
const LEAST_PART_BYTES: u64 = 5 * MIB;
/// Files of up to 1.25 GiB come in parts of the least size, larger ones in so many.
const USUAL_PARTS: u64 = 256;
const MIB: u64 = 1024 * 1024;
const ADDRESS_VALID: std::time::Duration = std::time::Duration::from_secs(3600);
/// How much of a refused part is read on, so that who sends hears why.
const MAX_DISCARDED_BYTES: u64 = 64 * MIB;
const SHOWN_MISSING: usize = 5;
const COLLECTED_AT_ONCE: u64 = 100;

/// Where an upload's parts are.
pub fn parts_of(located: &LocatedUpload) -> Parts {
    Parts {
        workspace_id: located.workspace_id,
        upload_id: located.upload.id,
        multipart_id: located.multipart_id.clone(),
        dataset: located.is_dataset(),
    }
}

/// Begins an upload. Goes on to the end if the client leaves meanwhile.
///
/// # Errors
/// 413 for a file that is too large, 409 for one that is too many or here already.
pub async fn begin(app: Arc<App>, turn: Turn, scope: Scope, new: NewUpload) -> AppResult {
    let dataset = new.agent_id.is_none();
    let max = match dataset {
        true => app.config.max_dataset_bytes,
        false => app.config.max_document_bytes,
    };
    let max = max.min(i64::MAX.unsigned_abs());
    if new.size_bytes > max {
        return Err(too_large(max));
    }
    let beginning = async move {
        let id = UploadId(Uuid::now_v7());
        let kept_for = Duration::from_std(app.config.deadlines.upload).map_err(AppError::internal)?;
        let parts = app.storage.begin_parts(scope.workspace_id, id, dataset).await;
        let parts = parts.map_err(AppError::io)?;
        let begun = BegunUpload {
            id,
            agent_id: new.agent_id,
            kind: new.kind,
            version_of: new.version_of,
            name: clean_name(&new.name),
            size_bytes: new.size_bytes,
            sha256: new.sha256,
            part_bytes: part_bytes(new.size_bytes),
            multipart_id: parts.multipart_id.clone(),
            kept_for,
        };
        let work = async |write: &mut Write| {
            let mut upload = db::uploads::insert(write, begun).await?;
            upload.received = Some(Vec::new());
            Answer::created(format!("/api/v1/uploads/{id}"), upload)
        };
        let answer = turn.run(work).await;
        if answer.is_err() {
            abandon(&app, &parts).await;
        }
        answer
    };
    rt::spawn(beginning).await.map_err(AppError::internal)?
}

fn part_bytes(size_bytes: u64) -> u64 {
    let fair = size_bytes.div_ceil(USUAL_PARTS).div_ceil(MIB) * MIB;
    fair.max(LEAST_PART_BYTES)
}

/// An upload with the parts that arrived.
pub async fn find(app: &App, scope: &Scope, id: UploadId) -> AppResult<Upload> {
    let located = db::uploads::find(scope, &app.db, id).await?;
    let mut upload = located.upload.clone();
    if upload.status == UploadStatus::Open {
        upload.received = Some(whole_parts(&upload, &received(app, &located).await?));
    }
    Ok(upload)
}

async fn received(app: &App, located: &LocatedUpload) -> AppResult<BTreeMap<u32, u64>> {
    match app.storage.received(&parts_of(located)).await {
        // It was completed or cancelled since.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        received => received.map_err(AppError::io),
    }
}

/// Those that have the length that they should.
fn whole_parts(upload: &Upload, received: &BTreeMap<u32, u64>) -> Vec<u32> {
    let whole = |(number, size): &(&u32, &u64)| upload.part_size(**number) == Some(**size);
    received.iter().filter(whole).map(|(number, _)| *number).collect()
}

/// Where to send parts.
///
/// # Errors
/// 400 for a part that the file has not, 409 once the upload is over.
pub async fn addresses(app: &App, scope: &Scope, id: UploadId, numbers: &[u32]) -> AppResult<PartAddresses> {
    let located = db::uploads::find(scope, &app.db, id).await?;
    require_open(&located.upload)?;
    let parts = parts_of(&located);
    let expires_at = Utc::now() + ADDRESS_VALID;
    let mut items = Vec::new();
    for number in numbers {
        let Some(size_bytes) = located.upload.part_size(*number) else {
            let message = format!("must be numbers from 1 to {}", located.upload.parts);
            return Err(AppError::field("parts", "range", message));
        };
        let straight = app.storage.part_url(&parts, *number, size_bytes, ADDRESS_VALID).await;
        let url = match straight.map_err(AppError::io)? {
            Some(url) => url,
            None => own_address(&app.keys, id, *number, expires_at),
        };
        items.push(PartAddress {
            number: *number,
            size_bytes,
            url,
        });
    }
    Ok(PartAddresses { items, expires_at })
}

fn own_address(keys: &Keys, id: UploadId, number: u32, expires_at: DateTime<Utc>) -> String {
    let expires = expires_at.timestamp();
    let (_, key) = keys.current(Purpose::Uploads);
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, &key),
        signed(id, number, expires).as_bytes(),
    );
    let signature = hex::encode(tag);
    format!("/api/v1/uploads/{id}/parts/{number}?expires={expires}&signature={signature}")
}

fn signed(id: UploadId, number: u32, expires: i64) -> String {
    format!("{id}/{number}/{expires}")
}

/// # Errors
/// 400 for an address that is not from here, or too old.
fn check_signature(keys: &Keys, id: UploadId, number: u32, sent: &PartSignature) -> AppResult<()> {
    let tag = hex::decode(&sent.signature).unwrap_or_default();
    let text = signed(id, number, sent.expires);
    let fits = keys.derived(Purpose::Uploads).iter().any(|(_, key)| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::verify(&key, text.as_bytes(), &tag).is_ok()
    });
    if fits && sent.expires >= Utc::now().timestamp() {
        return Ok(());
    }
    let detail = "This address for a part is not from here, or has expired. Ask the upload for new ones.";
    Err(AppError::new(ErrorCode::InvalidLink, detail))
}

/// Takes a part at an address of this server. What was refused is read on, within bounds.
pub async fn take_part(
    app: &App,
    id: UploadId,
    number: u32,
    sent: &PartSignature,
    mut body: web::Payload,
) -> AppResult<()> {
    let taken = take(app, id, number, sent, &mut body).await;
    if taken
        .as_ref()
        .is_err_and(|refused| refused.code != ErrorCode::RequestTimeout)
    {
        let mut bytes = 0;
        while let Ok(Some(Ok(piece))) = deadlines::arrival(app.config.deadlines.piece, body.next()).await {
            bytes += piece.len() as u64;
            if bytes > MAX_DISCARDED_BYTES {
                break;
            }
        }
    }
    taken
}

async fn take(app: &App, id: UploadId, number: u32, sent: &PartSignature, body: &mut web::Payload) -> AppResult<()> {
    check_signature(&app.keys, id, number, sent)?;
    let located = db::uploads::find_unscoped(&app.db, id).await?;
    require_open(&located.upload)?;
    let size = located.upload.part_size(number);
    let size = size.ok_or_else(|| AppError::not_found("part"))?;
    let over = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => AppError::conflict("This upload is over: it takes no more parts."),
        _ => AppError::io(error),
    };
    let writer = app
        .storage
        .write_part(&parts_of(&located), number)
        .await
        .map_err(over)?;
    let mut writer = writer.ok_or_else(|| AppError::not_found("part"))?;
    while let Some(piece) = deadlines::arrival(app.config.deadlines.piece, body.next()).await? {
        let broken = |_| AppError::new(ErrorCode::MalformedBody, "The part broke off. Send it again.");
        let piece = piece.map_err(broken)?;
        if writer.size_bytes() + piece.len() as u64 > size {
            let detail = format!("This part must have {size} bytes, and has more.");
            return Err(AppError::new(ErrorCode::PayloadTooLarge, detail));
        }
        writer.write(&piece).await.map_err(over)?;
    }
    if writer.size_bytes() != size {
        let message = format!("must have {size} bytes, but has {}", writer.size_bytes());
        return Err(AppError::field("body", "length", message));
    }
    writer.finish().await.map_err(over)
}

fn require_open(upload: &Upload) -> AppResult<()> {
    if upload.status == UploadStatus::Open && upload.expires_at > Utc::now() {
        return Ok(());
    }
    Err(AppError::conflict("This upload is over: it takes no more parts."))
}

/// Ends an upload once all parts are there: a task puts the file together and checks it.
///
/// # Errors
/// 409 while parts are missing and once it is over, 400 for another checksum than at the beginning.
pub async fn complete(app: Arc<App>, turn: Turn, scope: Scope, id: UploadId, end: UploadEnd) -> AppResult {
    let located = db::uploads::find(&scope, &app.db, id).await?;
    let upload = &located.upload;
    if let (Some(begun), Some(sent)) = (&upload.sha256, &end.sha256)
        && begun != sent
    {
        let message = "is another than at the beginning of the upload";
        return Err(AppError::field("sha256", "value", message));
    }
    require_open(upload)?;
    let there = whole_parts(upload, &received(&app, &located).await?);
    let missing: Vec<String> = (1..=upload.parts)
        .filter(|number| there.binary_search(number).is_err())
        .map(|number| number.to_string())
        .collect();
    if !missing.is_empty() {
        let more = if missing.len() > SHOWN_MISSING {
            " and others"
        } else {
            ""
        };
        let some = missing[..missing.len().min(SHOWN_MISSING)].join(", ");
        let detail = format!("Parts are missing: {some}{more}. Send them, then complete the upload.");
        return Err(AppError::conflict(detail));
    }
    let work = async |write: &mut Write| {
        let upload = db::uploads::complete(write, id, end.sha256).await?;
        let options = Enqueue {
            workspace_id: Some(write.workspace_id()?.0),
            dedup_key: Some(id.to_string()),
            ..Enqueue::default()
        };
        enqueue(write.connection(), &CompleteUpload { upload_id: id }, options).await?;
        Answer::ok(upload)
    };
    turn.run(work).await
}

/// Cancels an upload, or forgets one that is over.
pub async fn delete(app: &App, scope: &Scope, id: UploadId) -> AppResult<()> {
    let mut write = app.db.write(scope).await?;
    let located = db::uploads::delete(&mut write, id).await?;
    write.commit().await?;
    if located.upload.status != UploadStatus::Done {
        abandon(app, &parts_of(&located)).await;
    }
    Ok(())
}

/// Removes parts that no row names any more. What fails is collected later.
async fn abandon(app: &App, parts: &Parts) {
    if let Err(error) = app.storage.abandon(parts).await {
        tracing::error!(upload.id = %parts.upload_id, error = %error, "the parts of an upload could not be removed");
    }
}

/// Removes uploads that were not completed in time, and files that no row names.
pub async fn collect(app: &App) -> AppResult<()> {
    loop {
        let expired = db::uploads::expired_unscoped(&app.db, COLLECTED_AT_ONCE).await?;
        if expired.is_empty() {
            break;
        }
        for located in expired {
            let mut write = app.db.write(&Scope::system(located.workspace_id)).await?;
            match db::uploads::delete(&mut write, located.upload.id).await {
                // Somebody else was faster.
                Err(DbError::NotFound(_) | DbError::Conflict(_)) => continue,
                deleted => deleted?,
            };
            write.commit().await?;
            if located.upload.status != UploadStatus::Done {
                abandon(app, &parts_of(&located)).await;
            }
        }
    }
    let age = app.config.deadlines.orphan;
    for parts in app.storage.quiet_uploads(age).await.map_err(AppError::io)? {
        let named = db::uploads::named_unscoped(&app.db, "uploads", &[parts.upload_id.0]).await?;
        if named.is_empty() {
            abandon(app, &parts).await;
        }
    }
    let mut removed = 0;
    for kind in storage::BUCKETS {
        let mut listing = app.storage.resources(kind, age);
        while let Some(some) = listing.try_next().await.map_err(AppError::io)? {
            let ids: Vec<Uuid> = some.iter().map(|resource| resource.id).collect();
            let named = db::uploads::named_unscoped(&app.db, kind, &ids).await?;
            for orphan in some.iter().filter(|resource| !named.contains(&resource.id)) {
                app.storage.remove_resource(orphan).await.map_err(AppError::io)?;
                removed += 1;
            }
        }
    }
    if removed > 0 {
        tracing::info!(removed, "files that no row names were removed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_few_parts_that_buckets_take() {
        for size in [1, 5 * MIB, 300 * MIB, 2048 * MIB, 5 * 1024 * 1024 * MIB] {
            let part = part_bytes(size);
            assert!(part >= LEAST_PART_BYTES && size.div_ceil(part) <= USUAL_PARTS, "{size}");
        }
    }
}

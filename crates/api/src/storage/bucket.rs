//! Files in an S3 bucket, or what speaks like one.

use super::{Blob, Parts};
use crate::config::S3Config;
use aws_sdk_s3::{
    Client,
    config::{Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart, Delete, Object, ObjectIdentifier},
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use futures_util::{StreamExt, stream, stream::BoxStream};
use std::{
    collections::BTreeMap,
    io,
    path::Path,
    time::{Duration, SystemTime},
};
use tokio_util::io::ReaderStream;

/// One request takes files up to this size; larger ones go in parts of it.
const PIECE_BYTES: u64 = 32 * 1024 * 1024;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Putting the parts of a large file together takes a store its time.
const COMPLETE_WITHIN: Duration = Duration::from_secs(600);
/// What one request lists or deletes at most.
const AT_ONCE: usize = 1000;

#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    /// Signs addresses for browsers, which may reach the store by another name.
    signer: Client,
    name: String,
}

impl Bucket {
    pub async fn open(config: &S3Config) -> io::Result<Self> {
        let signer = config.public_endpoint.as_ref().or(config.endpoint.as_ref());
        let bucket = Self {
            client: client(config, config.endpoint.as_ref()),
            signer: client(config, signer),
            name: config.bucket.clone(),
        };
        let looked = bucket.client.head_bucket().bucket(&bucket.name).send().await;
        looked.map_err(failed)?;
        Ok(bucket)
    }

    pub async fn put(&self, path: &Path, key: &str) -> io::Result<()> {
        let size = tokio::fs::metadata(path).await?.len();
        if size > PIECE_BYTES {
            return self.put_in_parts(path, key, size).await;
        }
        let body = ByteStream::from_path(path).await.map_err(io::Error::other)?;
        let put = self.client.put_object().bucket(&self.name).key(key).body(body);
        put.send().await.map_err(failed)?;
        Ok(())
    }

    async fn put_in_parts(&self, path: &Path, key: &str, size: u64) -> io::Result<()> {
        let id = self.begin(key).await?;
        let sending = async {
            for number in 1..=size.div_ceil(PIECE_BYTES) {
                let offset = (number - 1) * PIECE_BYTES;
                let length = PIECE_BYTES.min(size - offset);
                let body = ByteStream::read_from().path(path).offset(offset);
                let body = body.length(aws_sdk_s3::primitives::Length::Exact(length));
                let body = body.build().await.map_err(io::Error::other)?;
                let part = self.client.upload_part().bucket(&self.name).key(key).upload_id(&id);
                let part = part.part_number(i32::try_from(number).map_err(io::Error::other)?);
                part.body(body).send().await.map_err(failed)?;
            }
            self.complete(key, &id).await
        };
        let sent = sending.await;
        if sent.is_err() {
            // What is left is the bucket's to expire; the first error says more.
            let _ = self.abandon(key, &id).await;
        }
        sent
    }

    pub async fn read(&self, key: &str) -> io::Result<Blob> {
        self.get(key, None).await
    }

    pub async fn read_part(&self, key: &str, offset: u64, length: u64) -> io::Result<Blob> {
        let last = offset + length.saturating_sub(1);
        self.get(key, Some(format!("bytes={offset}-{last}"))).await
    }

    async fn get(&self, key: &str, range: Option<String>) -> io::Result<Blob> {
        let get = self.client.get_object().bucket(&self.name).key(key);
        let found = get.set_range(range).send().await.map_err(failed)?;
        let size = found.content_length().unwrap_or_default();
        let body = found.body.into_async_read();
        Ok(Blob {
            size_bytes: u64::try_from(size).unwrap_or_default(),
            bytes: ReaderStream::with_capacity(body, 64 * 1024).boxed(),
        })
    }

    pub async fn size(&self, key: &str) -> io::Result<Option<u64>> {
        let head = self.client.head_object().bucket(&self.name).key(key);
        match head.send().await.map_err(failed) {
            Ok(found) => Ok(u64::try_from(found.content_length().unwrap_or_default()).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn remove_below(&self, prefix: &str) -> io::Result<()> {
        loop {
            let list = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
            let found = list.send().await.map_err(failed)?;
            let keys = found.contents().iter().filter_map(Object::key);
            let identify = |key: &str| ObjectIdentifier::builder().key(key).build();
            let objects: Result<Vec<_>, _> = keys.map(identify).collect();
            let objects = objects.map_err(io::Error::other)?;
            if objects.is_empty() {
                return Ok(());
            }
            let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
            let delete = delete.map_err(io::Error::other)?;
            let request = self.client.delete_objects().bucket(&self.name).delete(delete);
            let deleted = request.send().await.map_err(failed)?;
            if let Some(error) = deleted.errors().first() {
                let code = error.code().unwrap_or("unknown");
                return Err(io::Error::other(format!("the store keeps a file: {code}")));
            }
        }
    }

    /// The resources of a kind of which no file came within `age`, some at a time.
    pub fn resources(&self, kind: &'static str, age: Duration) -> BoxStream<'static, io::Result<Vec<String>>> {
        let bucket = self.clone();
        stream::try_unfold(Some(format!("{kind}/")), move |after| {
            let bucket = bucket.clone();
            async move {
                let Some(after) = after else { return Ok(None) };
                let list = bucket.client.list_objects_v2().bucket(&bucket.name);
                let list = list.prefix(format!("{kind}/")).start_after(after);
                let found = list.send().await.map_err(failed)?;
                let next = found.contents().last().and_then(Object::key).map(str::to_owned);
                let next = next.filter(|_| found.contents().len() >= AT_ONCE);
                Ok(Some((old(found.contents(), age), next)))
            }
        })
        .boxed()
    }

    pub async fn begin(&self, key: &str) -> io::Result<String> {
        let create = self.client.create_multipart_upload().bucket(&self.name).key(key);
        let created = create.send().await.map_err(failed)?;
        let id = created.upload_id().map(str::to_owned);
        id.ok_or_else(|| io::Error::other("the store gave no upload id"))
    }

    /// An address to which the part may be sent until it expires.
    pub async fn part_url(&self, parts: &Parts, number: u32, size: u64, valid: Duration) -> io::Result<String> {
        let part = self.signer.upload_part().bucket(&self.name).key(parts.key());
        let part = part
            .upload_id(&parts.multipart_id)
            .part_number(i32::try_from(number).map_err(io::Error::other)?)
            .content_length(i64::try_from(size).map_err(io::Error::other)?);
        let presigning = PresigningConfig::expires_in(valid).map_err(io::Error::other)?;
        let signed = part.presigned(presigning).await.map_err(failed)?;
        Ok(signed.uri().to_owned())
    }

    /// Parts that arrived, with their sizes.
    pub async fn received(&self, key: &str, id: &str) -> io::Result<BTreeMap<u32, u64>> {
        let found = self.list_parts(key, id).await?;
        let size = |part: &CompletedSize| u64::try_from(part.size).unwrap_or_default();
        Ok(found.iter().map(|(number, part)| (*number, size(part))).collect())
    }

    async fn list_parts(&self, key: &str, id: &str) -> io::Result<BTreeMap<u32, CompletedSize>> {
        let (mut all, mut after) = (BTreeMap::new(), None);
        loop {
            let list = self.client.list_parts().bucket(&self.name).key(key).upload_id(id);
            let found = list.set_part_number_marker(after).send().await.map_err(failed)?;
            for part in found.parts() {
                let size = part.size().unwrap_or_default();
                let e_tag = part.e_tag().map(str::to_owned);
                if let Some(number) = part.part_number().and_then(|number| u32::try_from(number).ok()) {
                    all.insert(number, CompletedSize { size, e_tag });
                }
            }
            after = found.next_part_number_marker().map(str::to_owned);
            if found.is_truncated() != Some(true) || after.is_none() {
                return Ok(all);
            }
        }
    }

    /// Makes one file of the parts.
    pub async fn complete(&self, key: &str, id: &str) -> io::Result<()> {
        let mut parts = Vec::new();
        for (number, part) in self.list_parts(key, id).await? {
            let number = i32::try_from(number).map_err(io::Error::other)?;
            let part = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
            parts.push(part.build());
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.name);
        let complete = complete.key(key).upload_id(id).multipart_upload(parts);
        let patient = TimeoutConfig::builder().read_timeout(COMPLETE_WITHIN).build();
        let patient = aws_sdk_s3::config::Builder::new().timeout_config(patient);
        let complete = complete.customize().config_override(patient);
        complete.send().await.map_err(failed)?;
        Ok(())
    }

    /// Removes the parts. What is not there is no error.
    pub async fn abandon(&self, key: &str, id: &str) -> io::Result<()> {
        let abort = self.client.abort_multipart_upload().bucket(&self.name);
        match abort.key(key).upload_id(id).send().await.map_err(failed) {
            // Completed before: there are no parts.
            Err(error) if error.kind() != io::ErrorKind::NotFound && self.size(key).await?.is_none() => Err(error),
            _ => Ok(()),
        }
    }
}

struct CompletedSize {
    size: i64,
    e_tag: Option<String>,
}

/// `{kind}/{workspace}/{resource}` of which no file is younger than `age`.
fn old(objects: &[Object], age: Duration) -> Vec<String> {
    let limit = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut newest: BTreeMap<String, SystemTime> = BTreeMap::new();
    for object in objects {
        let at = object.last_modified().and_then(|at| SystemTime::try_from(*at).ok());
        let resource = object.key().and_then(|key| key.rsplit_once('/'));
        if let Some((resource, _)) = resource {
            let newest = newest.entry(resource.to_owned()).or_insert(SystemTime::UNIX_EPOCH);
            *newest = (*newest).max(at.unwrap_or_else(SystemTime::now));
        }
    }
    newest.retain(|_, at| *at <= limit);
    newest.into_keys().collect()
}

fn client(config: &S3Config, endpoint: Option<&url::Url>) -> Client {
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(ANSWER_WITHIN)
        .build();
    let credentials = Credentials::new(&config.access_key_id, &config.secret_access_key, None, None, "config");
    let mut builder = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .region(Region::new(config.region.clone()))
        .credentials_provider(credentials)
        // Buckets of compatible stores have no host names of their own.
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .timeout_config(timeouts)
        .http_client(http);
    if let Some(endpoint) = endpoint {
        builder = builder.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(builder.build())
}

/// Without the request, which holds addresses.
fn failed<E, R>(error: SdkError<E, R>) -> io::Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Status,
{
    let status = error.raw_response().map(Status::status);
    let code = error.code().unwrap_or(match &error {
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(_) => "unreachable",
        _ => "unknown",
    });
    let kind = match (status, code) {
        (Some(404), _) | (_, "NoSuchKey" | "NoSuchUpload" | "NotFound") => io::ErrorKind::NotFound,
        (None, _) => io::ErrorKind::ConnectionAborted,
        _ => io::ErrorKind::Other,
    };
    let status = status.map(|status| format!(", status {status}")).unwrap_or_default();
    io::Error::new(kind, format!("the S3 store: {code}{status}"))
}

/// The status of an answer.
trait Status {
    fn status(&self) -> u16;
}

impl Status for aws_sdk_s3::config::http::HttpResponse {
    fn status(&self) -> u16 {
        self.status().as_u16()
    }
}

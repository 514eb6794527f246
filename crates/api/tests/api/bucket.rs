//! An S3 server in this process.

use cerebros_api::config::S3Config;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use std::path::Path;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub struct Bucket {
    url: String,
    data: TempDir,
}

const NAME: &str = "cerebros";
const ACCESS_KEY: &str = "AKIATEST";
const SECRET_KEY: &str = "secret-of-the-bucket";

impl Bucket {
    pub async fn start() -> Self {
        let data = TempDir::new().unwrap();
        std::fs::create_dir(data.path().join(NAME)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(data.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                // What was begun is ended even if the client is killed: a real store loses no upload over that.
                let answer = service_fn(move |request: hyper::Request<Incoming>| {
                    let service = service.clone();
                    let answering = tokio::spawn(async move { service.call(request.map(s3s::Body::from)).await });
                    async { answering.await.unwrap() }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(socket), answer));
            }
        });
        Self { url, data }
    }

    pub fn config(&self) -> S3Config {
        S3Config {
            bucket: NAME.to_owned(),
            endpoint: Some(self.url.parse().unwrap()),
            public_endpoint: None,
            region: "us-east-1".to_owned(),
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: SECRET_KEY.to_owned(),
        }
    }

    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("S3_BUCKET", NAME.to_owned()),
            ("S3_ENDPOINT", self.url.clone()),
            ("S3_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("S3_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }

    /// Where objects lie.
    pub fn objects(&self) -> std::path::PathBuf {
        self.data.path().join(NAME)
    }

    /// Objects and parts of objects.
    pub fn files(&self) -> usize {
        files_below(self.data.path())
    }
}

fn files_below(directory: &Path) -> usize {
    let counted = std::fs::read_dir(directory).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // What the server notes about objects.
        let own = name.ends_with(".json");
        match entry.file_type().unwrap().is_dir() {
            true => files_below(&entry.path()),
            false => usize::from(!own),
        }
    });
    counted.sum()
}

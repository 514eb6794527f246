use crate::{
    helpers::{Answer, Client, TestServer},
    members::{join, session, workspace},
};
use cerebros_common::{
    accounts::Profile,
    errors::ErrorCode,
    wire::Page,
    workspaces::{Member, Role},
};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, RgbaImage};
use reqwest::{Method, StatusCode, header};
use serde_json::json;
use std::io::Cursor;

on_both_databases!(
    a_profile_is_read_and_changed,
    a_picture_becomes_a_small_upright_square_without_metadata,
    every_kind_of_picture_is_taken,
    what_is_no_picture_is_refused,
    pictures_are_shown_to_who_shares_a_workspace,
);

const AVATAR: &str = "/api/v1/account/avatar";

async fn a_profile_is_read_and_changed(server: TestServer) {
    let member = server.member().await;
    let found = member.get("/api/v1/account").await;
    let etag = found.headers[header::ETAG].to_str().unwrap().to_owned();
    let profile: Profile = found.data();
    assert!(etag.starts_with(&format!("\"{}-", profile.version)), "{etag}");
    assert_eq!(profile.user, session(&member).await.user);
    let changed: Profile = member
        .patch("/api/v1/account", profile.version, json!({"name": " Ada "}))
        .await
        .data();
    assert_eq!(
        (changed.user.name.as_str(), changed.version),
        ("Ada", profile.version + 1)
    );
    assert_eq!(session(&member).await.user.name, "Ada");
    let stale = member
        .patch("/api/v1/account", profile.version, json!({"name": "B"}))
        .await;
    assert_eq!(stale.problem().error, ErrorCode::StaleVersion);
    let unknown = member
        .patch("/api/v1/account", changed.version, json!({"email": "b@example.org"}))
        .await;
    assert_eq!(unknown.problem().details[0].code, "unknown");
}

async fn put(client: &Client, content_type: &str, bytes: impl Into<Vec<u8>>) -> Answer {
    let request = client
        .request(Method::PUT, AVATAR)
        .header(header::CONTENT_TYPE, content_type);
    Answer::of(request.body(bytes.into())).await
}

/// Left red, right blue.
fn two_halves(width: u32, height: u32) -> DynamicImage {
    let (red, blue) = (Rgb([250, 0, 0]), Rgb([0, 0, 250]));
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { red } else { blue }).into()
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Some picture.
pub fn picture() -> Vec<u8> {
    encoded(&two_halves(64, 64), ImageFormat::Png)
}

/// A JPEG that says in its EXIF data that it is to be turned clockwise, and where it was taken.
fn turned_jpeg() -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    tiff.extend_from_slice(b"secret place");
    let mut exif = b"Exif\0\0".to_vec();
    exif.extend_from_slice(&tiff);
    let jpeg = encoded(&two_halves(100, 100), ImageFormat::Jpeg);
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend_from_slice(&[0xff, 0xe1]);
    bytes.extend_from_slice(&u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    bytes.extend_from_slice(&exif);
    bytes.extend_from_slice(&jpeg[2..]);
    bytes
}

async fn shown(client: &Client, profile: &Profile) -> (Answer, RgbaImage) {
    let answer = client.get(profile.user.avatar_url.as_deref().unwrap()).await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "image/png");
    let image = image::load_from_memory_with_format(&answer.bytes, ImageFormat::Png).unwrap();
    (answer, image.to_rgba8())
}

async fn a_picture_becomes_a_small_upright_square_without_metadata(server: TestServer) {
    let member = server.member().await;
    let before: Profile = member.get("/api/v1/account").await.data();
    let profile: Profile = put(&member, "image/jpeg", turned_jpeg()).await.data();
    assert!(profile.version > before.version);
    let (answer, image) = shown(&member, &profile).await;
    assert_eq!(image.dimensions(), (256, 256));
    let (top, bottom) = (image.get_pixel(128, 20), image.get_pixel(128, 235));
    assert!(top[0] > 200 && top[2] < 60, "{top:?}");
    assert!(bottom[2] > 200 && bottom[0] < 60, "{bottom:?}");
    assert!(!answer.bytes.windows(6).any(|part| part == b"secret"));
    // Of a wide one the middle is kept.
    let wide = encoded(&two_halves(3000, 60), ImageFormat::Png);
    let (_, image) = shown(&member, &put(&member, "image/png", wide).await.data()).await;
    assert!(image.get_pixel(60, 128)[0] > 200 && image.get_pixel(200, 128)[2] > 200);

    let gone: Profile = Answer::of(member.request(Method::DELETE, AVATAR)).await.data();
    assert_eq!(gone.user.avatar_url, None);
    let path = format!("/api/v1/users/{}/avatar", gone.user.id);
    assert_eq!(member.get(&path).await.problem().error, ErrorCode::NotFound);
}

async fn every_kind_of_picture_is_taken(server: TestServer) {
    let member = server.member().await;
    for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP, ImageFormat::Jpeg] {
        let image = DynamicImage::from(two_halves(64, 48).to_rgb8());
        // What it is called does not matter.
        let answer = put(&member, "image/jpeg", encoded(&image, format)).await;
        let (_, image) = shown(&member, &answer.data()).await;
        assert!(image.get_pixel(20, 128)[0] > 200, "{format:?}");
    }
}

/// A tiny PNG whose header tells of another size.
fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut png = encoded(&two_halves(2, 2), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = u32::MAX;
    for byte in &png[12..29] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    png[29..33].copy_from_slice(&(!crc).to_be_bytes());
    png
}

async fn what_is_no_picture_is_refused(server: TestServer) {
    let member = server.member().await;
    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (content_type, bytes) in [
        ("image/svg+xml", svg.as_bytes().to_vec()),
        ("image/png", Vec::new()),
        ("image/png", b"BM bitmap".to_vec()),
        ("text/plain", encoded(&two_halves(4, 4), ImageFormat::Png)),
    ] {
        let problem = put(&member, content_type, bytes).await.problem();
        assert_eq!(problem.error, ErrorCode::UnsupportedMediaType);
    }
    let whole = picture();
    for (bytes, code) in [
        (whole[..whole.len() / 2].to_vec(), "unreadable"),
        (png_that_claims(3000, 3000), "unreadable"),
        (png_that_claims(11_000, 11_000), "pixels"),
        (png_that_claims(13_000, 1), "pixels"),
    ] {
        let problem = put(&member, "image/png", bytes).await.problem();
        assert_eq!(
            (problem.error, problem.details[0].code.as_str()),
            (ErrorCode::InvalidRequest, code)
        );
    }
    let mut large = whole;
    large.resize(2 * 1024 * 1024 + 1, 0);
    assert_eq!(
        put(&member, "image/png", large).await.problem().error,
        ErrorCode::PayloadTooLarge
    );
    let profile: Profile = member.get("/api/v1/account").await.data();
    assert_eq!(profile.user.avatar_url, None);
    let left = std::fs::read_dir(server.config.work_dir().join("avatars")).unwrap();
    assert_eq!(left.count(), 0);
}

async fn pictures_are_shown_to_who_shares_a_workspace(server: TestServer) {
    let (owner, mate, stranger) = (
        server.member().await,
        server.sign_up("mate@example.org").await,
        server.stranger().await,
    );
    let profile: Profile = put(&mate, "image/png", picture()).await.data();
    let address = profile.user.avatar_url.clone().unwrap();
    assert_eq!(session(&mate).await.user.avatar_url.as_ref(), Some(&address));
    assert_eq!(owner.get(&address).await.problem().error, ErrorCode::NotFound);
    let team = workspace(&owner, "Team").await;
    join(&owner, &team, &mate, Role::Viewer).await;
    let members: Page<Member> = owner.within(&team).get("/api/v1/members").await.data();
    assert_eq!(members.items[1].avatar_url.as_ref(), Some(&address));

    let (answer, _) = shown(&owner, &profile).await;
    assert!(
        answer.headers[header::CACHE_CONTROL]
            .to_str()
            .unwrap()
            .starts_with("private")
    );
    let etag = answer.headers[header::ETAG].clone();
    let again = Answer::of(owner.request(Method::GET, &address).header(header::IF_NONE_MATCH, etag)).await;
    assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(stranger.get(&address).await.problem().error, ErrorCode::NotFound);
    assert_eq!(
        server.anonymous().get(&address).await.problem().error,
        ErrorCode::Unauthenticated
    );
    let leave = format!("/api/v1/members/{}", profile.user.id);
    mate.within(&team).delete_any_version(&leave).await;
    assert_eq!(owner.get(&address).await.problem().error, ErrorCode::NotFound);
}

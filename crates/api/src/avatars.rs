//! Profile pictures: whatever image a person sends becomes a square PNG, in a child process with limits of its own.

use crate::{
    child,
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::errors::ErrorCode;
use cerebros_ingest::child::{Exit, confine};
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult, Limits, imageops::FilterType,
};
use std::{fs, io::Cursor, path::Path, process::ExitCode, time::Duration};
use tokio::sync::Semaphore;

pub const MAX_BYTES: usize = 2 * 1024 * 1024;
/// Width and height of what is stored.
const SIDE: u32 = 256;
const MAX_SIDE: u32 = 12_000;
const MAX_PIXELS: u64 = 40_000_000;
const MAX_ALLOC: u64 = 512 * 1024 * 1024;

const DEADLINE: Duration = Duration::from_secs(20);
const WAIT_FOR_A_TURN: Duration = Duration::from_secs(20);
static TURNS: Semaphore = Semaphore::const_new(2);

/// How the child says what is wrong with an image.
const UNREADABLE: u8 = 10;
const TOO_LARGE: u8 = 11;

/// Makes the stored picture of what was sent.
///
/// # Errors
/// 415 for anything but the four formats, 400 for an image that cannot be read or has too many pixels.
pub async fn render(app: &App, bytes: Vec<u8>) -> AppResult<Vec<u8>> {
    if !is_known(&bytes) {
        let detail = "Send a PNG, JPEG, WebP or GIF image.";
        return Err(AppError::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let _turn = tokio::time::timeout(WAIT_FOR_A_TURN, TURNS.acquire())
        .await
        .map_err(|_| AppError::unavailable("Many pictures are being made right now. Try again in a moment.", 5))?;
    let parent = app.config.work_dir().join("avatars");
    tokio::fs::create_dir_all(&parent).await.map_err(AppError::io)?;
    let directory = tempfile::tempdir_in(parent).map_err(AppError::io)?;
    let (input, output) = (directory.path().join("image"), directory.path().join("avatar.png"));
    tokio::fs::write(&input, bytes).await.map_err(AppError::io)?;
    let mut command = child::command(&app.config, "avatar");
    command.arg(&input).arg(&output);
    let broken = || AppError::field("body", "unreadable", "is an image that cannot be read; try another one");
    match child::run(command, DEADLINE).await.map_err(AppError::io)? {
        Exit::Code(0) => tokio::fs::read(&output).await.map_err(AppError::io),
        Exit::Code(code) if code == i32::from(TOO_LARGE) => {
            let message = "has too many pixels: at most 40 million, and 12000 on a side";
            Err(AppError::field("body", "pixels", message))
        }
        Exit::Code(code) if code == i32::from(UNREADABLE) => Err(broken()),
        // It ran into a limit.
        Exit::TimedOut | Exit::Signal(_) => Err(broken()),
        Exit::Code(code) => Err(AppError::internal(anyhow::anyhow!(
            "the picture child ended with {code}"
        ))),
    }
}

/// The whole life of the child.
pub fn avatar_main(input: &Path, output: &Path) -> ExitCode {
    if confine().is_err() {
        return ExitCode::from(3);
    }
    let Ok(bytes) = fs::read(input) else {
        return ExitCode::from(4);
    };
    match square(&bytes) {
        Ok(png) => match fs::write(output, png) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(4),
        },
        Err(ImageError::Limits(_)) => ExitCode::from(TOO_LARGE),
        Err(_) => ExitCode::from(UNREADABLE),
    }
}

fn is_known(bytes: &[u8]) -> bool {
    matches!(
        image::guess_format(bytes),
        Ok(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif)
    )
}

/// The middle of an image, upright, small, and without anything but its pixels.
fn square(bytes: &[u8]) -> ImageResult<Vec<u8>> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let kind = image::error::LimitErrorKind::DimensionError;
        return Err(ImageError::Limits(image::error::LimitError::from_kind(kind)));
    }
    let orientation = decoder.orientation()?;
    let image = DynamicImage::from_decoder(decoder)?;
    // Cut before it is scaled: a narrow image scaled to fill would be huge for a moment.
    let side = width.min(height);
    let image = image.crop_imm((width - side) / 2, (height - side) / 2, side, side);
    let mut image = DynamicImage::from(image.resize_exact(SIDE, SIDE, FilterType::Triangle).to_rgba8());
    image.apply_orientation(orientation);
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

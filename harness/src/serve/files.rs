//! Files as answers: streamed in parts, so that a history of any length takes a few kilobytes of memory.

use super::store::Name;
use axum::body::{Body, Bytes};
use axum::http::header::{self, HeaderValue};
use axum::response::Response;
use futures::stream;
use results::web::POLICY_OF_REPORTS;
use std::fs::File;
use std::io::Read as _;

const PART: usize = 64 * 1_024;
/// For what is shown as text or as a picture.
const POLICY_OF_FILES: &str =
    "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'";

/// The first `length` bytes, which is as far as the file had grown when it was opened.
pub fn answer(name: &Name, file: File, length: u64) -> Response {
    let name = name.to_string();
    let ending = name.rsplit('.').next().unwrap_or_default();
    let kind = match ending {
        "html" => "text/html; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "zst" => "application/zstd",
        // Markup of other kinds is shown as it is written.
        _ => "text/plain; charset=utf-8",
    };
    let policy = match ending {
        "html" => POLICY_OF_REPORTS,
        _ => POLICY_OF_FILES,
    };
    let mut response = Response::new(Body::from_stream(parts(file, length)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if name.starts_with("history.") {
        headers.insert(
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment"),
        );
    }
    response
}

fn parts(file: File, length: u64) -> impl stream::Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut part = vec![0; PART.min(usize::try_from(left).unwrap_or(PART))];
            let bytes = file.read(&mut part)?;
            part.truncate(bytes);
            std::io::Result::Ok((file, part))
        });
        let (file, part) = read.await.map_err(std::io::Error::other)??;
        match part.len() as u64 {
            0 => Err(std::io::Error::other("the file became shorter")),
            bytes => Ok(Some((Bytes::from(part), (file, left - bytes)))),
        }
    })
}

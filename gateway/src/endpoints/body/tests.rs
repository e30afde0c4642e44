//! Tables of bodies: what is read, what is refused, and with which text.

use super::*;
use crate::auth::credential::Credential;
use crate::request::{CanonicalPath, Method, Upgrade};

struct Pieces {
    content_type: Option<&'static str>,
    pieces: Vec<&'static [u8]>,
}

#[async_trait]
impl Upload for Pieces {
    fn content_type(&self) -> Option<&str> {
        self.content_type
    }

    async fn go_on(&mut self) -> Result<(), Refusal> {
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        Ok(if self.pieces.is_empty() {
            None
        } else {
            Some(Bytes::from_static(self.pieces.remove(0)))
        })
    }
}

fn facts(body: Body) -> RequestFacts {
    RequestFacts {
        method: Method::Post,
        path: CanonicalPath::parse("/api-auth/").unwrap(),
        query: None,
        host: "a".to_owned(),
        authority: "a".to_owned(),
        credential: Credential::None,
        body,
        upgrade: Upgrade::None,
        preflight: None,
        query_overrides_method: false,
        expects_continue: false,
    }
}

fn read_all(
    content_type: Option<&'static str>,
    pieces: &[&'static [u8]],
    habits: &Habits,
) -> Result<Fields, Refusal> {
    let total: usize = pieces.iter().map(|p| p.len()).sum();
    let body = if total == 0 {
        Body::Empty
    } else {
        Body::Length(total as u64)
    };
    let mut upload = Pieces {
        content_type,
        pieces: pieces.to_vec(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(read(&facts(body), &mut upload, 64, habits))
}

const JSON: Option<&str> = Some("application/json");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=utf-8");

#[test]
fn the_same_fields_come_out_of_every_media_type() {
    let drf = Habits::drf_jwt();
    let multipart = b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx y\r\n--b--\r\n";
    for (content_type, body) in [
        (JSON, &b"{\"a\":\"1\",\"a\":\"x y\"}"[..]),
        (Some("Application/JSON;q=1"), b"{\"a\":\"x y\"}"),
        (FORM, b"a=1&a=x+y"),
        (FORM, b"a=x%20y"),
    ] {
        let fields = read_all(content_type, &[body], &drf).unwrap();
        assert_eq!(
            fields.get("a"),
            Some(&Value::from("x y")),
            "{content_type:?}"
        );
    }
    let (head, tail) = multipart.split_at(20);
    let boundary = Some("multipart/form-data; boundary=b");
    let mut upload = Pieces {
        content_type: boundary,
        pieces: vec![head, tail],
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let fields = runtime
        .block_on(read(&facts(Body::Unknown), &mut upload, 100, &drf))
        .unwrap();
    assert_eq!(fields.get("a"), Some(&Value::from("x y")));
}

#[test]
fn p105_other_media_types_and_repeated_members_are_refused() {
    let standard = Habits::standard();
    for content_type in [
        None,
        Some("text/plain"),
        Some("*/*"),
        Some("multipart/form-data; boundary=b"),
    ] {
        let got = read_all(content_type, &[b"{}"], &standard);
        assert!(
            matches!(got, Err(Refusal::MediaType(_))),
            "{content_type:?}: {got:?}"
        );
    }
    let repeated = read_all(JSON, &[br#"{"a":1,"a":2}"#], &standard);
    assert!(
        matches!(repeated, Err(Refusal::Parse { .. })),
        "{repeated:?}"
    );
}

#[test]
fn p100_a_body_over_the_limit_is_refused_announced_or_not() {
    let long: &'static [u8] = &[b'x'; 65];
    let announced = read_all(JSON, &[long], &Habits::standard());
    assert!(matches!(announced, Err(Refusal::TooLarge)), "{announced:?}");
    let mut upload = Pieces {
        content_type: JSON,
        pieces: vec![long],
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let streamed = runtime.block_on(read(
        &facts(Body::Unknown),
        &mut upload,
        64,
        &Habits::standard(),
    ));
    assert!(matches!(streamed, Err(Refusal::TooLarge)), "{streamed:?}");
}

#[test]
fn what_is_no_object_is_named_as_recorded() {
    let drf = Habits::drf_jwt();
    let text = |body: &'static [u8]| match read_all(JSON, &[body], &drf) {
        Err(Refusal::Fields(errors)) => errors.0[0].1[0].clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(
        text(b"[]"),
        "Invalid data. Expected a dictionary, but got list."
    );
    assert_eq!(
        text(b"\"x\""),
        "Invalid data. Expected a dictionary, but got str."
    );
    assert_eq!(
        text(b"1"),
        "Invalid data. Expected a dictionary, but got int."
    );
    assert_eq!(
        text(b"1.5"),
        "Invalid data. Expected a dictionary, but got float."
    );
    assert_eq!(
        text(b"true"),
        "Invalid data. Expected a dictionary, but got bool."
    );
    assert_eq!(text(b"null"), "No data provided");
    assert_eq!(read_all(JSON, &[], &drf).unwrap(), Fields::default());
    for broken in [
        &b"{"[..],
        b"{\"a\":1,}",
        b"\xff\xfe",
        b"NaN",
        b"{} {}",
        b" ",
    ] {
        let got = read_all(JSON, &[broken], &drf);
        assert!(
            matches!(got, Err(Refusal::Parse { what: "JSON", .. })),
            "{broken:?}: {got:?}"
        );
    }
}

use super::*;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned().into())
}

const LONG: &str = "Ensure this field has no more than 100 characters.";
const NUL: &str = "Null characters are not allowed.";
const BLANK: &str = "This field may not be blank.";
const NO_STRING: &str = "Not a valid string.";

#[test]
fn titles() {
    let x100 = "x".repeat(100);
    let table: Vec<(Value, Result<&str, &[&str]>)> = vec![
        (text("x"), Ok("x")),
        (text("\u{3000} x\t\n"), Ok("x")),
        (text("a  b\nc"), Ok("a  b\nc")),
        (text("\u{200b}x\u{feff}"), Ok("\u{200b}x\u{feff}")),
        (text("\u{1f}x\u{1f}"), Ok("\u{1f}x\u{1f}")),
        (text(&x100), Ok(&x100)),
        (Value::Int("123".into()), Ok("123")),
        (text(""), Err(&[BLANK])),
        (text(" \t\r\n"), Err(&[BLANK])),
        (Value::Null, Err(&[NULL])),
        (Value::Bool(true), Err(&[NO_STRING])),
        (Value::Float("1.5".into()), Err(&[NO_STRING])),
        (Value::List, Err(&[NO_STRING])),
        (Value::Object, Err(&[NO_STRING])),
        (Value::File, Err(&[NO_STRING])),
        (text("\0"), Err(&[NUL])),
        (Value::Int("1".repeat(101)), Err(&[LONG])),
    ];
    for (value, want) in table {
        let got = Title::parse(&value);
        let got = got
            .as_ref()
            .map(Title::as_str)
            .map_err(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(got, want.map_err(<[_]>::to_vec), "{value:?}");
    }
}

#[test]
fn a_title_counts_code_points_and_tells_every_fault() {
    assert!(Title::parse(&text(&"ż".repeat(100))).is_ok());
    assert!(Title::parse(&text(&"😀".repeat(100))).is_ok());
    assert_eq!(
        Title::parse(&text(&"e\u{301}".repeat(51))),
        Err(vec![LONG.to_owned()])
    );
    let both = format!("{}\0y", "x".repeat(100));
    assert_eq!(
        Title::parse(&text(&both)),
        Err(vec![LONG.to_owned(), NUL.to_owned()])
    );
}

#[test]
fn people() {
    const NOBODY: &str = "object does not exist.";
    const TYPE: &str = "Incorrect type. Expected pk value, received ";
    let table: Vec<(Value, Result<u64, String>)> = vec![
        (Value::Int("1".into()), Ok(1)),
        (text("1"), Ok(1)),
        (Value::Float("1.0".into()), Ok(1)),
        (Value::Float("1.00".into()), Ok(1)),
        (
            Value::Int("9".into()),
            Err(format!("Invalid pk \"9\" - {NOBODY}")),
        ),
        (text("9"), Err(format!("Invalid pk \"9\" - {NOBODY}"))),
        (
            Value::Float("9.0".into()),
            Err(format!("Invalid pk \"9\" - {NOBODY}")),
        ),
        (
            Value::Int("0".into()),
            Err(format!("Invalid pk \"0\" - {NOBODY}")),
        ),
        (
            Value::Int("-1".into()),
            Err(format!("Invalid pk \"-1\" - {NOBODY}")),
        ),
        (text("-1"), Err(format!("Invalid pk \"-1\" - {NOBODY}"))),
        (
            Value::Int("99999999999999999999".into()),
            Err(format!("Invalid pk \"99999999999999999999\" - {NOBODY}")),
        ),
        (Value::Float("1.5".into()), Err(format!("{TYPE}float."))),
        (Value::Float("1e0".into()), Err(format!("{TYPE}float."))),
        (Value::Float("1.0e0".into()), Err(format!("{TYPE}float."))),
        (text("1.0"), Err(format!("{TYPE}str."))),
        (text(" 1 "), Err(format!("{TYPE}str."))),
        (text("   "), Err(format!("{TYPE}str."))),
        (text("+1"), Err(format!("{TYPE}str."))),
        (text("01"), Err(format!("{TYPE}str."))),
        (text("１"), Err(format!("{TYPE}str."))),
        (text("-"), Err(format!("{TYPE}str."))),
        (text("1\0"), Err(format!("{TYPE}str."))),
        (Value::Bool(true), Err(format!("{TYPE}bool."))),
        (Value::List, Err(format!("{TYPE}list."))),
        (Value::Object, Err(format!("{TYPE}dict."))),
        (text(""), Err(NULL.to_owned())),
        (Value::Null, Err(NULL.to_owned())),
    ];
    for (value, want) in table {
        let got = person(&value, |id| id == PersonId(1));
        assert_eq!(
            got,
            want.map(PersonId).map_err(|text| vec![text]),
            "{value:?}"
        );
    }
}

#[test]
fn absent_fields_are_wrong_only_where_all_are_needed() {
    let none = Fields::default();
    let patch = TaskEdit::from_fields(&none, Needs::Any, |_| true).unwrap();
    assert!(patch.is_empty());
    let errors = TaskEdit::from_fields(&none, Needs::All, |_| true).unwrap_err();
    let body = String::from_utf8(crate::json::to_bytes(&errors).unwrap()).unwrap();
    let required = format!("[\"{REQUIRED}\"]");
    assert_eq!(
        body,
        format!("{{\"title\":{required},\"due_to\":{required},\"person\":{required}}}")
    );
}

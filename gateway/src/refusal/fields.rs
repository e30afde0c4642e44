//! What is wrong with the fields of a body.

use serde::Serialize;

/// Field errors of a body, in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(pub Vec<(String, Vec<String>)>);

impl FieldErrors {
    /// Adds one text to a field.
    pub fn add(&mut self, field: &str, text: impl Into<String>) {
        let text = text.into();
        match self.0.iter_mut().find(|(name, _)| name == field) {
            Some((_, texts)) => texts.push(text),
            None => self.0.push((field.to_owned(), vec![text])),
        }
    }

    /// One text for the whole body.
    pub fn whole(text: impl Into<String>) -> Self {
        Self(vec![(NON_FIELD.to_owned(), vec![text.into()])])
    }

    /// No error so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const NON_FIELD: &str = "non_field_errors";

impl Serialize for FieldErrors {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(k, v)| (k, v)))
    }
}

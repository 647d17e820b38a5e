//! What a server said, and what that means for the message.

use crate::health::{Class, Failure};

/// Bytes of an answer that are read.
const ANSWER: usize = 1 << 20;

/// Bytes of it that an error repeats.
const SHOWN: usize = 1_024;

/// An answer, cut off where it is long.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    pub(super) async fn read(mut answer: reqwest::Response) -> Result<Self, Failure> {
        let status = answer.status().as_u16();
        let mut text = Vec::new();
        // One that breaks off has said its status all the same.
        while let Ok(Some(chunk)) = answer.chunk().await {
            text.extend_from_slice(&chunk);
            if text.len() >= ANSWER {
                text.truncate(ANSWER);
                break;
            }
        }
        Ok(Self {
            status,
            text: String::from_utf8_lossy(&text).into_owned(),
        })
    }

    /// The answer, if it says that all went well.
    pub(crate) fn good(self) -> Result<Self, Failure> {
        match self.status {
            200..=299 => Ok(self),
            _ => Err(self.bad()),
        }
    }

    /// The failure that the status stands for.
    pub(crate) fn bad(&self) -> Failure {
        let class = match self.status {
            429 => Class::Limited,
            500.. => Class::Unavailable,
            _ => Class::Rejected,
        };
        self.failure(class)
    }

    /// A failure with the status and the first words of the answer.
    pub(crate) fn failure(&self, class: Class) -> Failure {
        let mut said = format!("unexpected status code {}", self.status);
        let text = self.text.trim();
        if !text.is_empty() {
            let end = (0..=SHOWN.min(text.len())).rev();
            let end = end.into_iter().find(|at| text.is_char_boundary(*at));
            said.push_str(": ");
            said.push_str(&text[..end.unwrap_or(0)]);
        }
        Failure::new(class, said)
    }

    /// The answer as JSON; null if it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

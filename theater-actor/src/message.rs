//! Messages: those that come in, the replies to them, and sending to other actors.
//!
//! The functions need the handler `message-server` in the manifest.

use std::ops::Deref;

use serde::{Serialize, de::DeserializeOwned};

use crate::bindings::imports::theater::simple::message_server_host as host;
use crate::{Result, state};

/// The bytes of a message, with the two readings that most actors want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    /// The message as text. An error where it is not UTF-8.
    pub fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.0).map_err(|error| format!("the message is not UTF-8: {error}").into())
    }

    /// The message as JSON.
    pub fn json<T: DeserializeOwned>(self) -> Result<T> {
        state::read("message", self.0)
    }

    /// The message as it came.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }
}

impl Deref for Message<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> From<&'a str> for Message<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

/// The reply to a request: made from text or bytes by `.into()`, or from a value by
/// [`Reply::json`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(Option<Vec<u8>>);

impl Reply {
    /// The value as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self(Some(to_json(value)?)))
    }

    /// No answer, which is an error to the requester: for requests that were meant as sends.
    pub fn none() -> Self {
        Self(None)
    }

    /// The bytes that the requester receives; none where there is no answer.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        self.0
    }
}

impl From<Vec<u8>> for Reply {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Some(bytes))
    }
}

impl From<&[u8]> for Reply {
    fn from(bytes: &[u8]) -> Self {
        Self(Some(bytes.to_vec()))
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self(Some(text.into_bytes()))
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self(Some(text.as_bytes().to_vec()))
    }
}

/// Sends a one-way message. It leaves when the running call commits: a call that ends in an error
/// or a panic sends nothing.
///
/// # Errors
/// No such actor, or its mailbox is full.
pub fn send(actor_id: &str, message: impl AsRef<[u8]>) -> Result<()> {
    host::send(actor_id, message.as_ref()).map_err(Into::into)
}

/// Sends a message at once and waits for the answer, at most 5 seconds unless the manifest says
/// otherwise.
///
/// # Errors
/// No such actor, its mailbox is full, it failed or answered an error or nothing, the deadline
/// passed, or waiting would close a circle of actors that wait for each other.
pub fn request(actor_id: &str, message: impl AsRef<[u8]>) -> Result<Vec<u8>> {
    host::request(actor_id, message.as_ref()).map_err(Into::into)
}

/// [`send`] with a value as JSON.
///
/// # Errors
/// Those of [`send`]; the value cannot be written as JSON.
pub fn send_json<T: Serialize + ?Sized>(actor_id: &str, value: &T) -> Result<()> {
    send(actor_id, to_json(value)?)
}

/// [`request`] with a value as JSON and the answer read as JSON.
///
/// # Errors
/// Those of [`request`]; the value cannot be written, or the answer cannot be read, as JSON.
pub fn request_json<T: Serialize + ?Sized, R: DeserializeOwned>(actor_id: &str, value: &T) -> Result<R> {
    state::read("answer", &request(actor_id, to_json(value)?)?)
}

fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| {
        let name = std::any::type_name::<T>();
        format!("`{name}` cannot be written as JSON: {error}").into()
    })
}

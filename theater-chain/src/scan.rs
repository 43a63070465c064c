//! A strict reader of MessagePack, token by token and without recursion.
//!
//! It exists beside rmp-serde because chains come from strangers: what it lets through has no
//! duplicate keys, no bytes left over and a depth that recursive code can bear. It allocates for
//! what is there, never for a length that is only claimed. It is not a general MessagePack
//! library: map keys are text and extension types are refused, since no chain holds others.

use rmp::Marker;

use crate::codec::DecodeError;

/// How deep arrays and maps may nest.
pub(crate) const MAX_DEPTH: usize = 64;

/// A scalar, or the head of an array or map, whose items follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// Nil.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer that is not negative, in any of its encodings.
    Unsigned(u64),
    /// An integer in an encoding with a sign; it may be positive.
    Signed(i64),
    /// A float of 32 bits.
    F32(f32),
    /// A float of 64 bits.
    F64(f64),
    /// Valid UTF-8.
    Text(&'a str),
    /// Bytes.
    Bin(&'a [u8]),
    /// The head of an array with so many items.
    Array(u32),
    /// The head of a map with so many keys, each followed by its value.
    Map(u32),
}

/// Reads tokens and whole values from a slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// An array or map of which items are still to come.
struct Open {
    left: u64,
    /// For a map: where its keys start in the list of keys.
    keys_from: Option<usize>,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether everything was read.
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Refuses bytes after the value that was read.
    ///
    /// # Errors
    /// There are some.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.is_at_end() { Ok(()) } else { Err(DecodeError::Trailing { at: self.at }) }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..len).ok_or(DecodeError::Truncated { at: self.bytes.len() })?;
        self.at += len;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn len8(&mut self) -> Result<usize, DecodeError> {
        Ok(usize::from(u8::from_be_bytes(self.number()?)))
    }

    fn len16(&mut self) -> Result<usize, DecodeError> {
        Ok(usize::from(u16::from_be_bytes(self.number()?)))
    }

    fn len32(&mut self) -> Result<usize, DecodeError> {
        Ok(u32::from_be_bytes(self.number()?) as usize)
    }

    fn text(&mut self, len: usize) -> Result<Token<'a>, DecodeError> {
        let at = self.at;
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| DecodeError::NotUtf8 { at })?;
        Ok(Token::Text(text))
    }

    /// The next token.
    ///
    /// # Errors
    /// The bytes end within it, a text is not UTF-8, or it is of a type that chains do not use.
    pub fn token(&mut self) -> Result<Token<'a>, DecodeError> {
        let at = self.at;
        let [first] = self.number()?;
        Ok(match Marker::from_u8(first) {
            Marker::Null => Token::Nil,
            Marker::True => Token::Bool(true),
            Marker::False => Token::Bool(false),
            Marker::FixPos(n) => Token::Unsigned(n.into()),
            Marker::FixNeg(n) => Token::Signed(n.into()),
            Marker::U8 => Token::Unsigned(u8::from_be_bytes(self.number()?).into()),
            Marker::U16 => Token::Unsigned(u16::from_be_bytes(self.number()?).into()),
            Marker::U32 => Token::Unsigned(u32::from_be_bytes(self.number()?).into()),
            Marker::U64 => Token::Unsigned(u64::from_be_bytes(self.number()?)),
            Marker::I8 => Token::Signed(i8::from_be_bytes(self.number()?).into()),
            Marker::I16 => Token::Signed(i16::from_be_bytes(self.number()?).into()),
            Marker::I32 => Token::Signed(i32::from_be_bytes(self.number()?).into()),
            Marker::I64 => Token::Signed(i64::from_be_bytes(self.number()?)),
            Marker::F32 => Token::F32(f32::from_be_bytes(self.number()?)),
            Marker::F64 => Token::F64(f64::from_be_bytes(self.number()?)),
            Marker::FixStr(len) => self.text(len.into())?,
            Marker::Str8 => self.len8().and_then(|len| self.text(len))?,
            Marker::Str16 => self.len16().and_then(|len| self.text(len))?,
            Marker::Str32 => self.len32().and_then(|len| self.text(len))?,
            Marker::Bin8 => Token::Bin(self.len8().and_then(|len| self.take(len))?),
            Marker::Bin16 => Token::Bin(self.len16().and_then(|len| self.take(len))?),
            Marker::Bin32 => Token::Bin(self.len32().and_then(|len| self.take(len))?),
            Marker::FixArray(len) => Token::Array(len.into()),
            Marker::Array16 => Token::Array(u16::from_be_bytes(self.number()?).into()),
            Marker::Array32 => Token::Array(u32::from_be_bytes(self.number()?)),
            Marker::FixMap(len) => Token::Map(len.into()),
            Marker::Map16 => Token::Map(u16::from_be_bytes(self.number()?).into()),
            Marker::Map32 => Token::Map(u32::from_be_bytes(self.number()?)),
            _ => return Err(DecodeError::Unsupported { marker: first, at }),
        })
    }

    /// The next key of a map.
    ///
    /// # Errors
    /// As [`Reader::token`]; also: it is not text.
    pub fn key(&mut self) -> Result<&'a str, DecodeError> {
        let at = self.at;
        match self.token()? {
            Token::Text(key) => Ok(key),
            _ => Err(DecodeError::KeyNotText { at }),
        }
    }

    /// The bytes of the next whole value, checked throughout. `depth` is how many arrays and maps
    /// it lies in.
    ///
    /// # Errors
    /// As [`Reader::token`]; also: a map has a key twice, or arrays and maps nest more than 64 deep.
    pub fn value(&mut self, depth: usize) -> Result<&'a [u8], DecodeError> {
        let start = self.at;
        let mut open: Vec<Open> = Vec::new();
        let mut keys: Vec<&'a str> = Vec::new();
        loop {
            let container = match self.token()? {
                Token::Array(len) => Some((len, None)),
                Token::Map(len) => Some((len, Some(keys.len()))),
                _ => None,
            };
            if let Some((left, keys_from)) = container {
                if depth + open.len() >= MAX_DEPTH {
                    return Err(DecodeError::TooDeep);
                }
                // One more than there are: the head itself counts as the item before the first.
                open.push(Open { left: u64::from(left) + 1, keys_from });
            }
            // A value, or the head of a container, is complete: what comes next?
            loop {
                let Some(innermost) = open.last_mut() else {
                    return Ok(&self.bytes[start..self.at]);
                };
                innermost.left -= 1;
                if innermost.left > 0 {
                    if innermost.keys_from.is_some() {
                        keys.push(self.key()?);
                    }
                    break;
                }
                if let Some(from) = innermost.keys_from {
                    refuse_duplicates(&mut keys[from..])?;
                    keys.truncate(from);
                }
                open.pop();
            }
        }
    }
}

/// Refuses equal keys. Changes their order.
fn refuse_duplicates(keys: &mut [&str]) -> Result<(), DecodeError> {
    // Comparing each with each is quickest for the few fields of an event.
    let found = if keys.len() <= 16 {
        (1..keys.len()).find(|&i| keys[..i].contains(&keys[i])).map(|i| keys[i])
    } else {
        keys.sort_unstable();
        keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    };
    match found {
        Some(key) => Err(DecodeError::DuplicateKey { key: key.to_owned() }),
        None => Ok(()),
    }
}

/// The fields of a map that is the whole of `bytes`, each value as its encoded bytes.
pub(crate) fn fields(bytes: &[u8]) -> Result<Vec<(&str, &[u8])>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let Token::Map(len) = reader.token()? else {
        return Err(DecodeError::NotAMap);
    };
    let mut fields = Vec::new();
    for _ in 0..len {
        fields.push((reader.key()?, reader.value(1)?));
    }
    reader.finish()?;
    let mut keys: Vec<&str> = fields.iter().map(|(key, _)| *key).collect();
    refuse_duplicates(&mut keys)?;
    Ok(fields)
}

//! Requests in JSON. Members that are not known are left out; `null` is the same as no member.

use super::form::{AnyValue, Entry, KeyValue, Of, Parent, Text};
use super::{OtlpError, budget};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hanok_base::{SpanId, TraceId};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::size_of;

/// `{"resourceSpans": […]}` or `{"resourceLogs": […]}`
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Request<T> {
    #[serde(
        default = "Vec::new",
        alias = "resourceSpans",
        alias = "resource_spans",
        alias = "resourceLogs",
        alias = "resource_logs",
        deserialize_with = "list"
    )]
    all: Vec<T>,
}

pub(super) fn request<'a, T: Entry<'a>>(body: &'a [u8]) -> Result<Vec<Of<'a, T>>, OtlpError> {
    let request: Request<Of<'a, T>> = parse(body)?;
    Ok(request.all)
}

pub(super) fn count_metrics(body: &[u8]) -> Result<usize, OtlpError> {
    #[derive(Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    #[derive(Default)]
    struct Metrics {
        #[serde(alias = "resource_metrics", deserialize_with = "list")]
        resource_metrics: Vec<Resource>,
    }
    #[derive(Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    #[derive(Default)]
    struct Resource {
        #[serde(alias = "scope_metrics", deserialize_with = "list")]
        scope_metrics: Vec<Scope>,
    }
    #[derive(Deserialize)]
    struct Scope {
        #[serde(default, deserialize_with = "list")]
        metrics: Vec<IgnoredAny>,
    }

    let all: Metrics = parse(body)?;
    let scopes = all.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    Ok(scopes.map(|scope| scope.metrics.len()).sum())
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, OtlpError> {
    // What is derived would take arrays for objects, member by member.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(OtlpError::Json("it does not begin with `{`".to_owned()));
    }
    BUDGET.set(budget(body));
    serde_json::from_slice(body).map_err(|error| OtlpError::Json(error.to_string()))
}

thread_local! {
    /// Memory that the entries of the request being read may still take: serde hands no state to what reads.
    static BUDGET: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    struct Entries<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
        type Value = Vec<T>;
        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("an array")
        }
        fn visit_unit<E: Error>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }
        fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Vec<T>, S::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = seq.next_element()? {
                let left = BUDGET.get().checked_sub(size_of::<T>());
                BUDGET.set(left.ok_or_else(|| S::Error::custom(OtlpError::TooMany))?);
                entries.push(entry);
            }
            Ok(entries)
        }
    }
    from.deserialize_any(Entries(PhantomData))
}

/// The value, or the default in place of `null`.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

pub(super) fn resource<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Vec<KeyValue<'a>>, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Resource<'a> {
        #[serde(borrow, deserialize_with = "list")]
        attributes: Vec<KeyValue<'a>>,
    }
    let resource: Option<Resource<'a>> = Option::deserialize(from)?;
    Ok(resource.unwrap_or_default().attributes)
}

/// An id in hexadecimal; `None` where it is none, or all zero.
fn id<'de, D: Deserializer<'de>, T: std::str::FromStr>(from: D) -> Result<(bool, Option<T>), D::Error> {
    let text: Text<'de> = Option::deserialize(from)?.unwrap_or_default();
    let zero = text.bytes().all(|digit| digit == b'0');
    Ok((zero, text.parse().ok().filter(|_| !zero)))
}

pub(super) fn trace_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TraceId>, D::Error> {
    Ok(id(from)?.1)
}

pub(super) fn span_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SpanId>, D::Error> {
    Ok(id(from)?.1)
}

pub(super) fn parent<'de, D: Deserializer<'de>>(from: D) -> Result<Parent, D::Error> {
    Ok(match id(from)? {
        (_, Some(id)) => Parent::Span(id),
        (true, None) => Parent::None,
        (false, None) => Parent::Invalid,
    })
}

/// A number, as a number or as text.
#[derive(Default)]
struct Whole(i128);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl de::Visitor<'_> for Numbers {
            type Value = Whole;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a whole number, as a number or as text")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(number.into()))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(number.into()))
            }
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
                Ok(Whole(number as i128))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Whole, E> {
                text.trim().parse().map(Whole).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        from.deserialize_any(Numbers)
    }
}

pub(super) fn fixed64<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let whole: Whole = or_default(from)?;
    u64::try_from(whole.0).map_err(|_| D::Error::custom("a time before 1970 or after 2554"))
}

/// An enum, as its number or by name.
#[derive(Default)]
struct Enum<'a>(Option<Whole>, Text<'a>);

impl<'de> Deserialize<'de> for Enum<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<'a>(PhantomData<Text<'a>>);
        impl<'de> Visitor<'de> for Either<'de> {
            type Value = Enum<'de>;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("the number or the name of an enum's value")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Enum<'de>, E> {
                Ok(Enum(Some(Whole(number.into())), Text::default()))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Enum<'de>, E> {
                Ok(Enum(Some(Whole(number.into())), Text::default()))
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Enum<'de>, E> {
                Ok(Enum::default())
            }
            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Enum<'de>, E> {
                Ok(Enum(None, Text(Cow::Borrowed(name))))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Enum<'de>, E> {
                Ok(Enum(None, Text(Cow::Owned(name.to_owned()))))
            }
        }
        from.deserialize_any(Either(PhantomData))
    }
}

/// A value that is not known is the enum's zero.
fn numbered<'de, D: Deserializer<'de>>(from: D, prefix: &str, names: &[&str]) -> Result<i32, D::Error> {
    let Enum(number, name) = or_default(from)?;
    if let Some(Whole(number)) = number {
        return Ok(i32::try_from(number).unwrap_or_default());
    }
    let name = name.strip_prefix(prefix).unwrap_or(&name);
    let at = names.iter().position(|known| known.eq_ignore_ascii_case(name));
    Ok(at.and_then(|at| i32::try_from(at).ok()).unwrap_or_default())
}

pub(super) fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    numbered(from, "SPAN_KIND_", &["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"])
}

pub(super) fn status_code<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    numbered(from, "STATUS_CODE_", &["UNSET", "OK", "ERROR"])
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Words<'a>(PhantomData<&'a str>);
        impl<'de: 'a, 'a> Visitor<'de> for Words<'a> {
            type Value = Text<'a>;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E: Error>(self) -> Result<Text<'a>, E> {
                Ok(Text::default())
            }
        }
        from.deserialize_any(Words(PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for AnyValue<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOf<'a>(PhantomData<&'a str>);
        impl<'de: 'a, 'a> Visitor<'de> for OneOf<'a> {
            type Value = AnyValue<'a>;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a value such as {\"stringValue\": \"…\"}")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<AnyValue<'a>, M::Error> {
                let mut found = AnyValue::Empty;
                while let Some(key) = map.next_key::<Text<'a>>()? {
                    found = match &*key {
                        "stringValue" | "string_value" => AnyValue::Text(map.next_value()?),
                        "boolValue" | "bool_value" => {
                            AnyValue::Bool(map.next_value::<Option<_>>()?.unwrap_or_default())
                        }
                        "intValue" | "int_value" => {
                            let Whole(number) = map.next_value::<Option<_>>()?.unwrap_or_default();
                            let bound = number.clamp(i64::MIN.into(), i64::MAX.into());
                            AnyValue::Int(i64::try_from(bound).unwrap_or_default())
                        }
                        "doubleValue" | "double_value" => AnyValue::Double(map.next_value::<Double>()?.0),
                        "arrayValue" | "array_value" => AnyValue::Array(
                            map.next_value::<Option<Values<AnyValue<'a>>>>()?.unwrap_or_default().values,
                        ),
                        "kvlistValue" | "kvlist_value" => AnyValue::List(
                            map.next_value::<Option<Values<KeyValue<'a>>>>()?.unwrap_or_default().values,
                        ),
                        "bytesValue" | "bytes_value" => {
                            let text: Text<'a> = map.next_value()?;
                            let bytes = STANDARD
                                .decode(text.trim())
                                .map_err(|_| M::Error::custom("bytes are base64"))?;
                            AnyValue::Bytes(Cow::Owned(bytes))
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            found
                        }
                    };
                }
                Ok(found)
            }
        }
        from.deserialize_map(OneOf(PhantomData))
    }
}

/// A number, or one of the texts that protobuf's JSON has for the others.
struct Double(f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl Visitor<'_> for Numbers {
            type Value = Double;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a number")
            }
            #[expect(clippy::cast_precision_loss, reason = "it is a float by its type")]
            fn visit_i64<E: Error>(self, number: i64) -> Result<Double, E> {
                Ok(Double(number as f64))
            }
            #[expect(clippy::cast_precision_loss, reason = "it is a float by its type")]
            fn visit_u64<E: Error>(self, number: u64) -> Result<Double, E> {
                Ok(Double(number as f64))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Double, E> {
                Ok(Double(number))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Double, E> {
                text.parse().map(Double).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_unit<E: Error>(self) -> Result<Double, E> {
                Ok(Double(0.0))
            }
        }
        from.deserialize_any(Numbers)
    }
}

/// `{"values": […]}`
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Values<T> {
    #[serde(default = "Vec::new", deserialize_with = "list")]
    values: Vec<T>,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self { values: Vec::new() }
    }
}

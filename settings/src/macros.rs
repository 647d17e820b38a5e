//! The two macros by which a part describes its section.

/// A field's name as the file writes it: without the `r#` of a keyword.
#[doc(hidden)]
#[must_use]
pub fn plain(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// A piece of the file that holds just this text, said by the environment.
#[doc(hidden)]
#[must_use]
pub fn text(variable: String, value: String) -> crate::Node {
    crate::Node {
        place: crate::Place::Environment(variable),
        kind: crate::Kind::Scalar {
            text: value,
            quoted: true,
        },
    }
}

/// Defines a section: a struct whose fields are keys with defaults.
///
/// ```
/// use std::time::Duration;
/// settings::section! {
///     /// How pages leave this host.
///     pub struct Mail {
///         /// The SMTP server as host:port.
///         pub smarthost: String = String::new(),
///         /// The longest wait for one step of a mail.
///         pub timeout: Duration = Duration::from_secs(10),
///         /// Proves who we are to the SMTP server.
///         pub password: settings::Secret = settings::Secret::default(),
///     }
/// }
/// let text = "smarthost: mail.example.org:587\ntimeout: 5s";
/// let mail: Mail = settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap();
/// assert_eq!(mail.timeout, Duration::from_secs(5));
/// ```
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $visibility:vis struct $name:ident {
            $( $(#[doc = $doc:literal])* pub $field:ident : $type:ty = $default:expr ),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq)]
        $visibility struct $name {
            $( $(#[doc = $doc])* pub $field: $type, )*
        }

        impl ::std::default::Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::Value for $name {
            fn kind() -> ::std::string::String {
                "section".into()
            }

            fn decode(
                node: &$crate::Node,
                reader: &mut $crate::Reader<'_>,
            ) -> ::std::option::Option<Self> {
                let mut section = Self::default();
                let entries: &[($crate::Name, $crate::Node)] = match &node.kind {
                    $crate::Kind::Null => &[],
                    $crate::Kind::Map(entries) => entries,
                    _ => {
                        reader.fault(&node.place, ::std::format!("a mapping of keys is wanted here, found {}", node.what()));
                        return ::std::option::Option::None;
                    }
                };
                let mut known: ::std::vec::Vec<::std::string::String> = ::std::vec::Vec::new();
                $({
                    let key = $crate::plain(::std::stringify!($field));
                    known.push(key.to_owned());
                    if let ::std::option::Option::Some(suffix) = <$type as $crate::Value>::COMPANION {
                        known.push(::std::format!("{key}{suffix}"));
                    }
                })*
                for (name, _) in entries {
                    if !known.contains(&name.text) {
                        reader.unknown(name, &known);
                    }
                }
                $({
                    let key = $crate::plain(::std::stringify!($field));
                    let said = reader.said(entries, key);
                    if let ::std::option::Option::Some((_, value)) = said
                        && let ::std::option::Option::Some(value) =
                            reader.within(key, |reader| <$type as $crate::Value>::decode(value, reader))
                    {
                        section.$field = value;
                    }
                    if let ::std::option::Option::Some(suffix) = <$type as $crate::Value>::COMPANION {
                        let companion = ::std::format!("{key}{suffix}");
                        if let ::std::option::Option::Some((name, value)) = reader.said(entries, &companion) {
                            if said.is_some() {
                                reader.within(key, |reader| {
                                    reader.fault(&name.place, ::std::format!("at most one of {key} and {companion} can be set"));
                                });
                            } else if let ::std::option::Option::Some(value) =
                                reader.within(&companion, |reader| <$type as $crate::Value>::decode_companion(value, reader))
                            {
                                section.$field = value;
                            }
                        }
                        if let ::std::option::Option::Some((variable, text)) = reader.variable(&companion)
                            && let ::std::option::Option::Some(value) = reader.within(&companion, |reader| {
                                <$type as $crate::Value>::decode_companion(&$crate::text(variable, text), reader)
                            })
                        {
                            section.$field = value;
                        }
                    }
                    if <$type as $crate::Value>::plain() {
                        if let ::std::option::Option::Some((variable, text)) = reader.variable(key)
                            && let ::std::option::Option::Some(value) = reader.within(key, |reader| {
                                <$type as $crate::Value>::decode(&$crate::text(variable, text), reader)
                            })
                        {
                            section.$field = value;
                        }
                    } else if said.is_none()
                        && let ::std::option::Option::Some(value) = reader.within(key, |reader| {
                            // The environment may set keys of a section that the file leaves out.
                            let absent = $crate::Node { place: node.place.clone(), kind: $crate::Kind::Null };
                            <$type as $crate::Value>::decode(&absent, reader)
                        })
                    {
                        section.$field = value;
                    }
                })*
                ::std::option::Option::Some(section)
            }

            fn show(&self) -> ::std::string::String {
                ::std::string::String::new()
            }

            fn write(&self, page: &mut $crate::Page, name: &str) {
                page.section(name, |page| self.fill(page));
            }

            fn fill(&self, page: &mut $crate::Page) {
                // What is as it would be anyway is left out.
                let default = Self::default();
                $( if self.$field != default.$field {
                    page.value($crate::plain(::std::stringify!($field)), &self.$field);
                } )*
            }

            fn describe(&self, reference: &mut $crate::Reference, path: &str) {
                reference.nested(::std::any::type_name::<Self>(), path, |reference| {
                    $( reference.key(path, $crate::plain(::std::stringify!($field)), &self.$field, ::std::concat!($($doc, "\n"),*)); )*
                });
            }

            fn example() -> ::std::option::Option<Self> {
                ::std::option::Option::Some(Self::default())
            }

            fn plain() -> bool {
                false
            }
        }
    };
}

/// Defines a key's closed set of words.
#[macro_export]
macro_rules! choice {
    (
        $(#[doc = $about:literal])*
        $visibility:vis enum $name:ident {
            $( $(#[doc = $doc:literal])* $variant:ident = $word:literal ),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $visibility enum $name {
            $( $(#[doc = $doc])* $variant, )*
        }

        impl $name {
            /// The word that stands for it in a file.
            #[must_use]
            $visibility fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )*
                }
            }
        }

        impl $crate::Value for $name {
            fn kind() -> ::std::string::String {
                [$($word),*].join(" | ")
            }

            fn decode(
                node: &$crate::Node,
                reader: &mut $crate::Reader<'_>,
            ) -> ::std::option::Option<Self> {
                let text = <::std::string::String as $crate::Value>::decode(node, reader)?;
                match &*text {
                    $( $word => ::std::option::Option::Some(Self::$variant), )*
                    _ => {
                        let said = reader.quote(node);
                        reader.fault(&node.place, ::std::format!("{said} is none of {}", [$($word),*].join(", ")));
                        ::std::option::Option::None
                    }
                }
            }

            fn show(&self) -> ::std::string::String {
                self.as_str().to_owned()
            }
        }
    };
}

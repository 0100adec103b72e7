//! Enums with a text label on the wire and in columns.

/// Declares an enum and the label of each variant. With the feature `sqlx` of this crate it is a column of text.
///
/// ```
/// subjects::labels! {
///     /// The state of a parcel.
///     pub ParcelState {
///         /// Not handed to the carrier.
///         Packed = "packed",
///         /// Handed over.
///         Sent = "sent",
///     }
/// }
/// assert_eq!(ParcelState::Packed.as_str(), "packed");
/// assert_eq!("sent".parse(), Ok(ParcelState::Sent));
/// ```
#[macro_export]
macro_rules! labels {
    (
        $(#[$meta:meta])* $vis:vis $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $label:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// All variants.
            #[allow(dead_code, reason = "used by the enums that are listed")]
            $vis const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The label of the variant.
            $vis fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().copied().find(|one| one.as_str() == text);
                found.ok_or_else(|| format!("unknown value {text:?}"))
            }
        }

        $crate::text_column!($name, as_str);
    };
}

/// Makes a type a column of text: `$text` returns its text, and `FromStr` parses it.
#[cfg(feature = "sqlx")]
#[macro_export]
macro_rules! text_column {
    ($name:ident, $text:ident) => {
        const _: () = {
            use $crate::sqlx::{
                Decode, Encode, Postgres, Type,
                encode::IsNull,
                error::BoxDynError,
                postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef},
            };

            impl Type<Postgres> for $name {
                fn type_info() -> PgTypeInfo {
                    <&str as Type<Postgres>>::type_info()
                }

                fn compatible(info: &PgTypeInfo) -> bool {
                    <&str as Type<Postgres>>::compatible(info)
                }
            }

            impl PgHasArrayType for $name {
                fn array_type_info() -> PgTypeInfo {
                    <&str as PgHasArrayType>::array_type_info()
                }
            }

            impl Encode<'_, Postgres> for $name {
                fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                    <&str as Encode<Postgres>>::encode(self.$text(), buffer)
                }
            }

            impl Decode<'_, Postgres> for $name {
                fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
                    Ok(<&str as Decode<Postgres>>::decode(value)?.parse()?)
                }
            }
        };
    };
}

/// Without the feature `sqlx`, a type is no column.
#[cfg(not(feature = "sqlx"))]
#[macro_export]
macro_rules! text_column {
    ($name:ident, $text:ident) => {};
}

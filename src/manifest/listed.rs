//! Enums that know all of their values.

/// Defines an enum without data and, as `ALL`, the list of its variants: a list that is written beside an enum could
/// lack one.
macro_rules! listed {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$of:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        pub enum $name {
            $($(#[$of])* $variant,)*
        }

        impl $name {
            /// All of them, in the order of their definition.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];
        }
    };
}

pub(crate) use listed;

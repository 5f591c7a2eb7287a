//! Printing objects in the contract's two manners (`contract §6`): answers show unset members as
//! null and empty lists as `[]`, notifications and requests leave them out.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// What becomes of a member that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unset {
    /// Printed as `null` or `[]`.
    Null,
    /// Left out.
    Omit,
}

/// An object that prints its members one by one, in a manner decided by who prints it.
pub(crate) trait Object {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error>;
}

/// The members of an object being printed.
pub(crate) struct Members<M> {
    map: M,
    unset: Unset,
}

impl<M: SerializeMap> Members<M> {
    /// A member that is always there.
    pub(crate) fn put(&mut self, name: &str, value: impl Serialize) -> Result<(), M::Error> {
        self.map.serialize_entry(name, &value)
    }

    /// The type of this object.
    pub(crate) fn odata_type(&mut self, odata_type: &str) -> Result<(), M::Error> {
        self.put("@odata.type", Joined("#microsoft.graph.", odata_type))
    }

    /// A member that may be unset.
    pub(crate) fn maybe<T: Serialize>(&mut self, name: &str, value: &Option<T>) -> Result<(), M::Error> {
        match (value, self.unset) {
            (None, Unset::Omit) => Ok(()),
            (value, _) => self.put(name, value),
        }
    }

    /// A member left out when unset, in either manner.
    pub(crate) fn given<T: Serialize>(&mut self, name: &str, value: &Option<T>) -> Result<(), M::Error> {
        value.as_ref().map_or(Ok(()), |value| self.put(name, value))
    }

    /// A list of plain values that may be empty.
    pub(crate) fn list<T: Serialize>(&mut self, name: &str, items: &[T]) -> Result<(), M::Error> {
        match (items, self.unset) {
            ([], Unset::Omit) => Ok(()),
            (items, _) => self.put(name, items),
        }
    }

    /// An object inside this one.
    pub(crate) fn object<T: Object>(&mut self, name: &str, object: &T) -> Result<(), M::Error> {
        self.put(name, Printed(object, self.unset))
    }

    /// An object inside this one that may be unset.
    pub(crate) fn maybe_object<T: Object>(&mut self, name: &str, object: &Option<T>) -> Result<(), M::Error> {
        self.maybe(name, &object.as_ref().map(|o| Printed(o, self.unset)))
    }

    /// A list of objects that may be empty.
    pub(crate) fn objects<T: Object>(&mut self, name: &str, items: &[T]) -> Result<(), M::Error> {
        match (items, self.unset) {
            ([], Unset::Omit) => Ok(()),
            (items, unset) => self.put(name, PrintedList(items, unset)),
        }
    }

    /// A member never set here: null in answers.
    pub(crate) fn unset(&mut self, name: &str) -> Result<(), M::Error> {
        self.maybe::<()>(name, &None)
    }
}

/// An object to be printed in one manner.
pub(crate) struct Printed<'o, T>(pub(crate) &'o T, pub(crate) Unset);

impl<T: Object> Serialize for Printed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let map = serializer.serialize_map(None)?;
        let mut members = Members { map, unset: self.1 };
        self.0.members(&mut members)?;
        members.map.end()
    }
}

/// Several objects printed in one manner.
pub(crate) struct PrintedList<'o, T>(pub(crate) &'o [T], pub(crate) Unset);

impl<T: Object> Serialize for PrintedList<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|item| Printed(item, self.1)))
    }
}

/// Two texts printed as one, without joining them first.
pub(crate) struct Joined<'t>(pub(crate) &'t str, pub(crate) &'t str);

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}{}", self.0, self.1))
    }
}

/// The JSON text of an object.
pub(crate) fn to_json<T: Object>(object: &T, unset: Unset) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    serde_json::to_writer(&mut text, &Printed(object, unset)).expect("objects with text keys print into memory");
    text
}

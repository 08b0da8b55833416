//! Lists that continue at a cursor. They all have the same shape.

/// Defines a page of a list: `entities` and the links to other pages.
macro_rules! cursor_list {
    ($(#[$meta:meta])* pub struct $name:ident of $entity:ident) => {
        $crate::model::model! {
            $(#[$meta])*
            pub struct $name {
                /// The entries of this page.
                "entities" => pub entities: Vec<$entity>,
                /// The link to the next page. An empty page can have one too.
                "nextUri" => pub next_uri: String,
                /// The link to this page.
                "selfUri" => pub self_uri: String,
                /// The link to the previous page.
                "previousUri" => pub previous_uri: String,
            }
        }

        impl $name {
            /// Returns the entries of this page; empty if the server sent no list.
            pub fn entities(&self) -> &[$entity] {
                self.entities.as_deref().unwrap_or_default()
            }
        }

        impl $crate::machine::Page for $name {
            type Entity = $entity;

            fn next_page(&self) -> $crate::machine::NextPage<'_> {
                $crate::machine::NextPage::from_uri(self.next_uri.as_deref())
            }

            fn into_entities(self) -> Vec<$entity> {
                self.entities.unwrap_or_default()
            }
        }
    };
}

pub(crate) use cursor_list;

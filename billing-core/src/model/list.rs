//! Lists that go on by a cursor: all of one shape.

/// A page of a list: `entities` and where it goes on.
macro_rules! cursor_list {
    ($(#[$meta:meta])* pub struct $name:ident of $entity:ident) => {
        $crate::model::model! {
            $(#[$meta])*
            pub struct $name {
                /// What is on this page.
                "entities" => pub entities: Vec<$entity>,
                /// Where the page after this one is; an empty page can have one too.
                "nextUri" => pub next_uri: String,
                /// Where this page is.
                "selfUri" => pub self_uri: String,
                /// Where the page before this one is.
                "previousUri" => pub previous_uri: String,
            }
        }

        impl $name {
            /// What is on this page; nothing where the server sent no list.
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

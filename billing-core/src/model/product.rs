//! Products and their units.

use super::{model, open_enum};

model! {
    /// A product. **Preview:** the vendor may change its shape.
    pub struct Product {
        /// Its id.
        "id" => pub id: String,
        /// Its stock-keeping unit.
        "sku" => pub sku: String,
        /// Its name.
        "name" => pub name: String,
        /// The unit of its quantities.
        "unitOfMeasure" => pub unit_of_measure: UnitOfMeasure,
    }
}

open_enum! {
    /// The unit of a quantity.
    pub enum UnitOfMeasure {
        /// A call.
        Call = "Call",
        /// A character.
        Character = "Character",
        /// A conversation.
        Conversation = "Conversation",
        /// A course.
        Course = "Course",
        /// A day.
        Day = "Day",
        /// A piece (`EA`).
        Ea = "EA",
        /// A piece.
        Each = "Each",
        /// An employee.
        Employee = "Employee",
        /// An engagement.
        Engagement = "Engagement",
        /// An evaluation.
        Evaluation = "Evaluation",
        /// An event.
        Event = "Event",
        /// An exam.
        Exam = "Exam",
        /// A gigabyte.
        Gb = "GB",
        /// A guide.
        Guide = "Guide",
        /// An hour.
        Hour = "Hour",
        /// An ingestion.
        Ingestion = "Ingestion",
        /// An instance.
        Instance = "Instance",
        /// An interaction.
        Interaction = "Interaction",
        /// An invocation.
        Invocation = "Invocation",
        /// A message.
        Message = "Message",
        /// A million characters.
        MillionCharacters = "MillionCharacters",
        /// A minute.
        Minute = "Minute",
        /// A person.
        Person = "Person",
        /// A phone number.
        PhoneNumber = "PhoneNumber",
        /// A port.
        Port = "Port",
        /// A rate table.
        RateTable = "RateTable",
        /// A segment.
        Segment = "Segment",
        /// A session.
        Session = "Session",
        /// A stream.
        Stream = "Stream",
        /// A summary.
        Summary = "Summary",
        /// A token.
        Token = "Token",
        /// A transaction.
        Transaction = "Transaction",
        /// A translation.
        Translation = "Translation",
        /// A turn.
        Turn = "Turn",
        /// A unit.
        Unit = "Unit",
        /// A user.
        User = "User",
    }
}

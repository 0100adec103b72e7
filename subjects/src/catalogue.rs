//! Every message of the shop in one list, made from the message types themselves: what generated pages, golden files
//! and other checks walk through. A message that is declared and not listed here fails a test.

use contract::{Answer, Command, Event, Query, Request, subject};

use crate::{carts, catalog, identity, inventory, operations, orders, payments};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageKind {
    /// Answered, changes nothing.
    Query,
    /// Answered once per command id, changes something.
    Command,
    /// A fact.
    Event,
}

impl MessageKind {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Command => "command",
            Self::Event => "event",
        }
    }
}

/// What the type of a message fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageInfo {
    /// What it is.
    pub kind: MessageKind,
    /// Whose it is.
    pub domain: &'static str,
    /// The operation, or the event's name.
    pub name: &'static str,
    /// The name of its Rust type.
    pub message: &'static str,
    /// Where it is sent; of an event, all of its partitions.
    pub subject: String,
    /// Who may call it. An event is called by nobody.
    pub access: Option<String>,
    /// The name of the type that a success answers.
    pub reply: Option<&'static str>,
    /// The name of the type that a refusal answers.
    pub error: Option<&'static str>,
    /// Of a command: whether its answer is stored for those who repeat it.
    pub answer: Option<Answer>,
    /// Of a command: whether it is rejected while it cannot be told that the caller's rights still hold.
    pub is_sensitive: bool,
}

/// Every message of the shop.
pub fn catalogue() -> Vec<MessageInfo> {
    vec![
        command::<identity::Register>(),
        command::<identity::Login>(),
        command::<identity::Refresh>(),
        command::<identity::Logout>(),
        query::<identity::GetKeys>(),
        query::<identity::GetRevocations>(),
        command::<identity::ChangeUser>(),
        command::<identity::CreateAccount>(),
        event::<identity::UserRegistered>(),
        event::<identity::UserChanged>(),
        event::<identity::UserDeactivated>(),
        event::<identity::UserReactivated>(),
        event::<identity::SessionRevoked>(),
        query::<catalog::GetProduct>(),
        query::<catalog::ListProducts>(),
        query::<catalog::ListCategories>(),
        command::<catalog::CreateProduct>(),
        command::<catalog::ChangeProduct>(),
        command::<catalog::CreateCategory>(),
        query::<catalog::GetOffers>(),
        event::<catalog::ProductCreated>(),
        event::<catalog::ProductUpdated>(),
        event::<catalog::PriceChanged>(),
        query::<inventory::GetStock>(),
        command::<inventory::SetStock>(),
        query::<inventory::CheckAvailability>(),
        query::<inventory::ListMovements>(),
        event::<inventory::StockChanged>(),
        event::<inventory::LowStock>(),
        event::<inventory::Reserved>(),
        event::<inventory::ReservationRejected>(),
        event::<inventory::Released>(),
        event::<inventory::Committed>(),
        command::<carts::CreateCart>(),
        query::<carts::GetCart>(),
        command::<carts::ClearCart>(),
        command::<carts::AddItem>(),
        command::<carts::ChangeItem>(),
        command::<carts::RemoveItem>(),
        query::<carts::GetContents>(),
        command::<orders::PlaceOrder>(),
        query::<orders::GetOrder>(),
        query::<orders::ListOrders>(),
        query::<orders::GetHistory>(),
        command::<orders::CancelOrder>(),
        command::<orders::SetStatus>(),
        command::<orders::RequestExpiry>(),
        query::<orders::GetPayable>(),
        query::<orders::GetLines>(),
        event::<orders::Placed>(),
        event::<orders::PaymentDue>(),
        event::<orders::Confirmed>(),
        event::<orders::Failed>(),
        event::<orders::Cancelled>(),
        event::<orders::ExpiryDue>(),
        event::<orders::Expired>(),
        event::<orders::RefundDue>(),
        event::<orders::StatusChanged>(),
        event::<orders::Returned>(),
        event::<orders::Shipped>(),
        event::<orders::Delivered>(),
        query::<payments::GetConfig>(),
        command::<payments::CreateIntent>(),
        query::<payments::GetPayment>(),
        query::<payments::GetPaymentOfOrder>(),
        query::<payments::GetAction>(),
        query::<payments::GetPendingRefund>(),
        command::<payments::RefundPayment>(),
        command::<payments::VerifyPayment>(),
        command::<payments::ReceiveWebhook>(),
        command::<payments::ReadAgain>(),
        command::<payments::ActInSandbox>(),
        event::<payments::IntentCreated>(),
        event::<payments::ActionRequired>(),
        event::<payments::Succeeded>(),
        event::<payments::PaymentFailed>(),
        event::<payments::PaymentCancelled>(),
        event::<payments::Refunded>(),
        event::<payments::RefundFailed>(),
        event::<payments::Disputed>(),
        event::<payments::DisputeWon>(),
        event::<payments::DisputeLost>(),
        query::<operations::CheckInvariants>(),
    ]
}

fn query<Q: Query>() -> MessageInfo {
    request::<Q>(MessageKind::Query, None)
}

fn command<C: Command>() -> MessageInfo {
    MessageInfo { is_sensitive: C::SENSITIVE, ..request::<C>(MessageKind::Command, Some(C::ANSWER)) }
}

fn request<R: Request>(kind: MessageKind, answer: Option<Answer>) -> MessageInfo {
    MessageInfo {
        kind,
        domain: R::DOMAIN,
        name: R::OPERATION,
        message: type_name::<R>(),
        subject: R::subject(),
        access: Some(R::ACCESS.describe()),
        reply: Some(type_name::<R::Reply>()),
        error: Some(type_name::<R::Error>()),
        answer,
        is_sensitive: false,
    }
}

fn event<E: Event>() -> MessageInfo {
    MessageInfo {
        kind: MessageKind::Event,
        domain: E::DOMAIN,
        name: E::NAME,
        message: type_name::<E>(),
        subject: subject::event_filter(E::DOMAIN, E::NAME),
        access: None,
        reply: None,
        error: None,
        answer: None,
        is_sensitive: false,
    }
}

/// A type's name without its path.
fn type_name<T>() -> &'static str {
    let path = std::any::type_name::<T>();
    path.rsplit("::").next().unwrap_or(path)
}

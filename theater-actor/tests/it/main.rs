//! The exported functions, called as the host calls them: bytes in, bytes out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use theater_actor::Export;
use theater_actor::bindings::actor::exports::theater::simple::actor::Guest as ActorExport;
use theater_actor::bindings::children::exports::theater::simple::supervisor_handlers::Guest as ChildrenExport;
use theater_actor::bindings::messages::exports::theater::simple::message_server_client::Guest as MessagesExport;
use theater_actor::prelude::*;
use theater_actor::supervision::ErrorType;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    owner: String,
    balance: i64,
}

impl Actor for Account {}

impl Messages for Account {
    fn handle_send(&mut self, message: Message<'_>) -> Result<()> {
        self.balance += message.json::<i64>()?;
        Ok(())
    }

    fn handle_request(&mut self, id: &str, message: Message<'_>) -> Result<Reply> {
        match message.text()? {
            "owner" => Ok(self.owner.as_str().into()),
            "id" => Ok(id.into()),
            "balance" => Reply::json(&self.balance),
            "nothing" => Ok(Reply::none()),
            "spoil" => {
                self.balance = -1;
                bail!("the balance of {} is spoilt", self.owner);
            }
            text => Err(text.parse::<u8>().unwrap_err().into()),
        }
    }
}

impl Children for Account {}

/// An actor that leaves out all it can, and whose init bytes are no state.
#[derive(Default, Serialize, Deserialize)]
struct Configured {
    name: Option<String>,
}

impl Actor for Configured {
    fn init(start: &Start) -> Result<Self> {
        let (name,): (String,) = start.json()?;
        Ok(Self { name: Some(format!("{name} {}", start.id())) })
    }
}

impl Messages for Configured {}

type State = Option<Vec<u8>>;

fn state(owner: &str, balance: i64) -> State {
    Some(serde_json::to_vec(&Account { owner: owner.to_owned(), balance }).unwrap())
}

fn bytes(text: &str) -> State {
    Some(text.as_bytes().to_vec())
}

fn init<A: Actor>(init_bytes: State) -> Result<State, String> {
    <Export<A> as ActorExport>::init(init_bytes, ("a1".to_owned(),)).map(|(next,)| next)
}

fn request<A: Messages>(state: State, message: &[u8]) -> Result<(State, State), String> {
    <Export<A> as MessagesExport>::handle_request(state, ("m/1/0".to_owned(), message.to_vec()))
}

fn send<A: Messages>(state: State, message: &[u8]) -> Result<State, String> {
    <Export<A> as MessagesExport>::handle_send(state, (message.to_vec(),)).map(|(next,)| next)
}

#[test]
fn an_init_left_out_takes_its_bytes_or_the_default() {
    assert_eq!(init::<Account>(None), Ok(state("", 0)));
    assert_eq!(init::<Account>(bytes(r#"{"balance":7, "owner":"ann"}"#)), Ok(state("ann", 7)));
    let error = init::<Account>(bytes(r#"{"balance":7}"#)).unwrap_err();
    assert!(error.starts_with("the init bytes cannot be read as JSON of `"), "{error}");
    assert!(error.contains("Account`: missing field `owner`"), "{error}");
}

#[test]
fn an_init_of_its_own_reads_what_it_likes() {
    assert_eq!(init::<Configured>(bytes(r#"["bob"]"#)), Ok(bytes(r#"{"name":"bob a1"}"#)));
    let error = init::<Configured>(None).unwrap_err();
    assert!(error.contains("no init bytes") && error.contains("init_state"), "{error}");
}

#[test]
fn a_request_answers_and_keeps_the_state() {
    let old = state("ann", 7);
    for (message, answer) in [("owner", "ann"), ("id", "m/1/0"), ("balance", "7")] {
        assert_eq!(request::<Account>(old.clone(), message.as_bytes()), Ok((old.clone(), bytes(answer))));
    }
    assert_eq!(request::<Account>(old.clone(), b"nothing"), Ok((old, None)));
}

#[test]
fn a_send_changes_the_state_and_none_is_the_default() {
    assert_eq!(send::<Account>(state("ann", 7), b"-3"), Ok(state("ann", 4)));
    assert_eq!(send::<Account>(None, b"5"), Ok(state("", 5)));
}

#[test]
fn errors_become_the_err_string() {
    let of = |message: &[u8]| request::<Account>(state("ann", 7), message).unwrap_err();
    assert_eq!(of(b"spoil"), "the balance of ann is spoilt");
    assert_eq!(of(b"x"), "invalid digit found in string");
    assert!(of(b"\xff").starts_with("the message is not UTF-8"), "{}", of(b"\xff"));
    let error = send::<Account>(state("ann", 7), b"{").unwrap_err();
    assert!(error.starts_with("the message cannot be read as JSON of `i64`"), "{error}");
}

#[test]
fn functions_left_out_say_so() {
    let error = request::<Configured>(None, b"hello").unwrap_err();
    assert!(error.contains("answers no requests") && error.contains("m/1/0"), "{error}");
    let error = send::<Configured>(None, b"hello").unwrap_err();
    assert!(error.contains("takes no one-way messages"), "{error}");
}

#[test]
fn child_callbacks_left_out_keep_the_state() {
    let failure = ActorError { error_type: ErrorType::CallTimeout, message: "5s are over".to_owned(), data: None };
    assert_eq!(failure.to_string(), "call-timeout: 5s are over");
    let old = state("ann", 7);
    let child = || "c1".to_owned();
    type Callbacks = Export<Account>;
    let kept = Ok((old.clone(),));
    assert_eq!(<Callbacks as ChildrenExport>::handle_child_error(old.clone(), (child(), failure)), kept);
    assert_eq!(<Callbacks as ChildrenExport>::handle_child_exit(old.clone(), (child(), None)), kept);
    assert_eq!(<Callbacks as ChildrenExport>::handle_child_external_stop(old, (child(),)), kept);
}

proptest! {
    #[test]
    fn a_state_that_cannot_be_read_is_an_error_and_never_a_panic(garbage in any::<Vec<u8>>()) {
        prop_assume!(serde_json::from_slice::<Account>(&garbage).is_err());
        let error = request::<Account>(Some(garbage), b"owner").unwrap_err();
        prop_assert!(error.starts_with("the state cannot be read as JSON of `"), "{}", error);
    }

    #[test]
    fn what_a_turn_leaves_is_what_the_next_one_finds(owner: String, balance: i32, change: i32) {
        let next = send::<Account>(state(&owner, balance.into()), change.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&next, &state(&owner, i64::from(balance) + i64::from(change)));
        prop_assert_eq!(request::<Account>(next.clone(), b"owner").unwrap(), (next, bytes(&owner)));
    }
}

//! From a request to its answer, in the order of checks that the contract
//! prescribes (docs/CONTRACT.md, "Order of checks"). The first that fails
//! answers.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Version};

use crate::answer::Answer;
use crate::body::Body;
use crate::describe::describe;
use crate::error::{FieldErrors, Refusal};
use crate::identity::{Identity, IdentityHeaders};
use crate::json;
use crate::negotiation::negotiate;
use crate::people::{Person, PersonId, PersonView};
use crate::proof::Proof;
use crate::route::{Resource, Route};
use crate::store::{Change, Outcome, Store, StoreError};
use crate::task::{Needs, NewTask, TaskEdit, TaskId, TaskView, unknown_person};
use crate::writer::Writer;

/// Lists of up to so many rows are made in place: handing one to another thread
/// would take longer. Longer ones would keep other requests waiting.
const INLINE_ROWS: u64 = 500;

/// Everything that answering needs.
#[derive(Debug)]
pub struct Api {
    /// What is read from.
    pub store: Arc<Store>,
    /// What changes are given to.
    pub writer: Writer,
    /// What shows that a request came through the gateway.
    pub proof: Proof,
    /// Where the gateway says who calls.
    pub identity_headers: IdentityHeaders,
}

impl Api {
    /// Answers one request.
    pub async fn answer(
        &self,
        route: &Route<'_>,
        parts: &Parts,
        body: &mut Body,
        peer: IpAddr,
    ) -> Answer {
        if *route == Route::Health {
            return self.health(&parts.method);
        }
        let identity = match self.admit(parts, peer) {
            Ok(identity) => identity,
            Err(refusal) => return refusal.into(),
        };
        match route {
            Route::Health | Route::Unknown => Refusal::NotFound.into(),
            Route::MissingSlash(path) => redirect(parts, path),
            Route::Person(id) => self
                .person(*id, parts, body)
                .await
                .unwrap_or_else(Answer::from)
                .allowing("PUT, DELETE"),
            Route::Api(resource, suffix) => self
                .resource(*resource, *suffix, parts, body, identity)
                .await
                .unwrap_or_else(Answer::from)
                .allowing(resource.allow())
                .negotiated(),
        }
    }

    /// Whether the service can work: the one thing that anybody may ask.
    fn health(&self, method: &Method) -> Answer {
        let answer = match *method {
            Method::GET | Method::HEAD if self.writer.has_failed() => Refusal::Internal.into(),
            Method::GET | Method::HEAD => {
                Answer::json(StatusCode::OK, br#"{"status":"ok"}"#.to_vec())
            }
            _ => Refusal::MethodNotAllowed(method.to_string()).into(),
        };
        answer.allowing("GET, HEAD")
    }

    /// Who calls, once it is clear that the gateway says so.
    fn admit(&self, parts: &Parts, peer: IpAddr) -> Result<Identity, Refusal> {
        self.proof.check(&parts.headers, peer)?;
        let hosts = parts.headers.get_all(HOST).iter().count();
        if hosts > 1 || (hosts == 0 && parts.version >= Version::HTTP_11) {
            return Err(Refusal::Host);
        }
        Identity::read(&parts.headers, &self.identity_headers)
    }

    async fn resource(
        &self,
        resource: Resource,
        suffix: Option<&str>,
        parts: &Parts,
        body: &mut Body,
        identity: Identity,
    ) -> Result<Answer, Refusal> {
        negotiate(suffix, parts.uri.query(), &parts.headers)?;
        let method = parts.method.as_str();
        let safe = matches!(method, "GET" | "HEAD" | "OPTIONS");
        if !safe && resource != Resource::Root && !identity.is_signed_in() {
            return Err(Refusal::NotSignedIn);
        }
        match (method, resource) {
            ("GET" | "HEAD", Resource::Root) => root(parts, suffix),
            ("GET" | "HEAD", Resource::Tasks) => self.list(list_tasks).await,
            ("GET" | "HEAD", Resource::Task(id)) => self.show_task(id),
            ("GET" | "HEAD", Resource::Users) => self.list(list_people).await,
            ("GET" | "HEAD", Resource::User(id)) => self.show_person(id),
            ("POST", Resource::Tasks) => self.create_task(body).await,
            ("PUT", Resource::Task(id)) => self.edit_task(id, Needs::All, body).await,
            ("PATCH", Resource::Task(id)) => self.edit_task(id, Needs::Any, body).await,
            ("DELETE", Resource::Task(id)) => self.remove_task(id).await,
            ("OPTIONS", resource) => self.options(resource, identity),
            // The gateway serves the writes of `/users/`.
            (method, _) => Err(Refusal::MethodNotAllowed(method.to_owned())),
        }
    }

    // === tasks ===

    fn show_task(&self, id: Option<TaskId>) -> Result<Answer, Refusal> {
        let id = id.ok_or(Refusal::NotFound)?;
        self.store.task(id, |task| match task {
            Some(task) => Ok(Answer::json(StatusCode::OK, json::to_bytes(&task)?)),
            None => Err(Refusal::NotFound),
        })?
    }

    async fn create_task(&self, body: &mut Body) -> Result<Answer, Refusal> {
        let edit = self.read_edit(Needs::All, body).await?;
        // All fields were needed, so all are there.
        let task = edit.complete().ok_or(Refusal::Internal)?;
        let outcome = self.writer.change(Change::CreateTask(task)).await?;
        task_answer(StatusCode::CREATED, outcome)
    }

    async fn edit_task(
        &self,
        id: Option<TaskId>,
        needs: Needs,
        body: &mut Body,
    ) -> Result<Answer, Refusal> {
        let id = self.existing(id)?;
        let edit = self.read_edit(needs, body).await?;
        if edit.is_empty() {
            return self.show_task(Some(id));
        }
        let outcome = self.writer.change(Change::EditTask(id, edit)).await?;
        task_answer(StatusCode::OK, outcome)
    }

    async fn remove_task(&self, id: Option<TaskId>) -> Result<Answer, Refusal> {
        let id = self.existing(id)?;
        match self.writer.change(Change::RemoveTask(id)).await? {
            Outcome::NotFound => Err(Refusal::NotFound),
            _ => Ok(Answer::no_content()),
        }
    }

    /// An unknown task is told before its body is read.
    fn existing(&self, id: Option<TaskId>) -> Result<TaskId, Refusal> {
        let id = id.ok_or(Refusal::NotFound)?;
        if self.store.task(id, |task| task.is_some())? {
            Ok(id)
        } else {
            Err(Refusal::NotFound)
        }
    }

    async fn read_edit(&self, needs: Needs, body: &mut Body) -> Result<TaskEdit, Refusal> {
        let fields = body.fields().await?;
        let mut failure = None;
        let known = |id| {
            self.store.knows(id).unwrap_or_else(|error| {
                failure = Some(error);
                false
            })
        };
        let edit = TaskEdit::from_fields(&fields, needs, known);
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(edit?),
        }
    }

    // === people ===

    fn show_person(&self, id: Option<PersonId>) -> Result<Answer, Refusal> {
        let id = id.ok_or(Refusal::NotFound)?;
        self.store.person(id, |person| match person {
            Some(person) => Ok(Answer::json(StatusCode::OK, json::to_bytes(&person)?)),
            None => Err(Refusal::NotFound),
        })?
    }

    /// Provisioning: the gateway keeps the list of people. It never does so for
    /// a client, so that a client's identity here is an attack or a mistake.
    async fn person(
        &self,
        id: Option<PersonId>,
        parts: &Parts,
        body: &mut Body,
    ) -> Result<Answer, Refusal> {
        if self.identity_headers.any_in(&parts.headers) {
            return Err(Refusal::ProvisioningByClient);
        }
        let id = id.ok_or(Refusal::NotFound)?;
        match parts.method.as_str() {
            "PUT" => {
                let person = Person::from_fields(id, &body.fields().await?)?;
                let text = json::to_bytes(&person)?;
                let status = match self.writer.change(Change::PutPerson(person)).await? {
                    Outcome::Created => StatusCode::CREATED,
                    _ => StatusCode::OK,
                };
                Ok(Answer::json(status, text))
            }
            "DELETE" => {
                self.writer.change(Change::RemovePerson(id)).await?;
                Ok(Answer::no_content())
            }
            method => Err(Refusal::MethodNotAllowed(method.to_owned())),
        }
    }

    // === both ===

    async fn list(
        &self,
        render: fn(&Store) -> Result<Vec<u8>, Refusal>,
    ) -> Result<Answer, Refusal> {
        let text = if self.store.size()? <= INLINE_ROWS {
            render(&self.store)
        } else {
            let store = Arc::clone(&self.store);
            tokio::task::spawn_blocking(move || render(&store))
                .await
                .map_err(|_| Refusal::Internal)?
        };
        Ok(Answer::json(StatusCode::OK, text?))
    }

    fn options(&self, resource: Resource, identity: Identity) -> Result<Answer, Refusal> {
        let exists = match resource {
            Resource::Root => false,
            Resource::Tasks | Resource::Users => true,
            Resource::Task(id) => self.existing(id).is_ok(),
            Resource::User(Some(id)) => self.store.knows(id)?,
            Resource::User(None) => false,
        };
        let text = describe(resource, exists && identity.is_signed_in());
        Ok(Answer::json(StatusCode::OK, text.into_bytes()))
    }
}

/// The collections. The address is the one that the client asked, as `Host` has
/// it; forwarded ones are not believed.
fn root(parts: &Parts, suffix: Option<&str>) -> Result<Answer, Refusal> {
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let host = match (authority, parts.headers.get(HOST)) {
        (Some(authority), _) => authority,
        (None, Some(host)) => host.to_str().map_err(|_| Refusal::Host)?,
        // HTTP/1.0 need not say it.
        (None, None) => "localhost",
    };
    let end = suffix.map_or_else(|| "/".to_owned(), |suffix| format!(".{suffix}"));
    let link = |name: &str| format!("http://{host}/{name}{end}");
    let links =
        std::collections::BTreeMap::from([("tasks", link("tasks")), ("users", link("users"))]);
    Ok(Answer::json(StatusCode::OK, json::to_bytes(&links)?))
}

fn redirect(parts: &Parts, path: &str) -> Answer {
    let location = match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    Answer::redirect(&parts.method, location)
}

fn task_answer(status: StatusCode, outcome: Outcome) -> Result<Answer, Refusal> {
    match outcome {
        Outcome::Task(id, task) => Ok(Answer::json(
            status,
            json::to_bytes(&NewTask::view(&task, id))?,
        )),
        Outcome::UnknownPerson(person) => {
            // Removed after the body was judged.
            let mut errors = FieldErrors::default();
            errors.push("person", vec![unknown_person(person)]);
            Err(errors.into())
        }
        Outcome::NotFound => Err(Refusal::NotFound),
        Outcome::Created | Outcome::Done => Err(Refusal::Internal),
    }
}

fn list_tasks(store: &Store) -> Result<Vec<u8>, Refusal> {
    let mut text = vec![b'['];
    store.tasks(|task: TaskView<'_>| append(&mut text, &task))?;
    text.push(b']');
    Ok(text)
}

fn list_people(store: &Store) -> Result<Vec<u8>, Refusal> {
    let mut text = vec![b'['];
    store.people(|person: PersonView<'_>| append(&mut text, &person))?;
    text.push(b']');
    Ok(text)
}

fn append(text: &mut Vec<u8>, row: &impl serde::Serialize) -> Result<(), Refusal> {
    if text.len() > 1 {
        text.push(b',');
    }
    Ok(json::append(text, row)?)
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        Self::Internal
    }
}

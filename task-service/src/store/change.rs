//! The changes that can be made, and how a batch of them is applied.

use redb::{ReadableTable, Table};

use super::schema::{META, NEXT_TASK_ID, PEOPLE, PERSON_TASKS, TASKS};
use super::{Store, StoreError, view};
use crate::people::{Person, PersonId};
use crate::task::{NewTask, TaskEdit, TaskId, Title};

/// One change.
#[derive(Debug)]
pub enum Change {
    /// Make a task.
    CreateTask(NewTask),
    /// Change a task.
    EditTask(TaskId, TaskEdit),
    /// Remove a task.
    RemoveTask(TaskId),
    /// Make a person, or change one.
    PutPerson(Person),
    /// Remove a person and their tasks.
    RemovePerson(PersonId),
}

/// What became of one change. One that could not be made changed nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The task as it is now.
    Task(TaskId, NewTask),
    /// Made, where there was none.
    Created,
    /// Changed or removed.
    Done,
    /// There is no such task or person.
    NotFound,
    /// The task would belong to nobody.
    UnknownPerson(PersonId),
}

impl Store {
    /// Makes the changes in their order, in one durable transaction: when this
    /// returns `Ok`, all of them survive a loss of power.
    ///
    /// # Errors
    /// When the store fails; then none of them was made.
    pub fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, StoreError> {
        let txn = self.db.begin_write()?;
        let outcomes = {
            let mut tables = Tables {
                meta: txn.open_table(META)?,
                people: txn.open_table(PEOPLE)?,
                tasks: txn.open_table(TASKS)?,
                person_tasks: txn.open_table(PERSON_TASKS)?,
            };
            changes
                .iter()
                .map(|change| tables.apply(change))
                .collect::<Result<Vec<_>, _>>()?
        };
        txn.commit()?;
        Ok(outcomes)
    }
}

struct Tables<'txn> {
    meta: Table<'txn, &'static str, u64>,
    people: Table<'txn, u64, (&'static str, &'static str, bool)>,
    tasks: Table<'txn, u64, (u64, i64, &'static str)>,
    person_tasks: Table<'txn, (u64, u64), ()>,
}

impl Tables<'_> {
    /// Checks first and changes then: a change that cannot be made must leave
    /// nothing behind, since the others of its batch are committed.
    fn apply(&mut self, change: &Change) -> Result<Outcome, StoreError> {
        match change {
            Change::CreateTask(task) => self.create_task(task),
            Change::EditTask(id, edit) => self.edit_task(*id, edit),
            Change::RemoveTask(id) => self.remove_task(*id),
            Change::PutPerson(person) => self.put_person(person),
            Change::RemovePerson(id) => self.remove_person(*id),
        }
    }

    fn knows(&self, person: PersonId) -> Result<bool, StoreError> {
        Ok(self.people.get(person.0)?.is_some())
    }

    fn create_task(&mut self, task: &NewTask) -> Result<Outcome, StoreError> {
        if !self.knows(task.person)? {
            return Ok(Outcome::UnknownPerson(task.person));
        }
        let id = self
            .meta
            .get(NEXT_TASK_ID)?
            .ok_or(StoreError::Damaged("the counter of tasks is gone"))?
            .value();
        self.meta.insert(NEXT_TASK_ID, id + 1)?;
        self.write_task(id, task)?;
        Ok(Outcome::Task(TaskId(id), task.clone()))
    }

    fn edit_task(&mut self, id: TaskId, edit: &TaskEdit) -> Result<Outcome, StoreError> {
        let old = {
            let Some(row) = self.tasks.get(id.0)? else {
                return Ok(Outcome::NotFound);
            };
            let old = view(id.0, row.value())?;
            NewTask {
                title: Title::stored(old.title),
                due_to: old.due_to,
                person: old.person,
            }
        };
        if let Some(person) = edit.person
            && !self.knows(person)?
        {
            return Ok(Outcome::UnknownPerson(person));
        }
        let old_person = old.person;
        let new = NewTask {
            title: edit.title.clone().unwrap_or(old.title),
            due_to: edit.due_to.unwrap_or(old.due_to),
            person: edit.person.unwrap_or(old.person),
        };
        if new.person != old_person {
            self.person_tasks.remove((old_person.0, id.0))?;
        }
        self.write_task(id.0, &new)?;
        Ok(Outcome::Task(id, new))
    }

    fn write_task(&mut self, id: u64, task: &NewTask) -> Result<(), StoreError> {
        let row = (task.person.0, task.due_to.micros(), task.title.as_str());
        self.tasks.insert(id, row)?;
        self.person_tasks.insert((task.person.0, id), ())?;
        Ok(())
    }

    fn remove_task(&mut self, id: TaskId) -> Result<Outcome, StoreError> {
        let removed = self.tasks.remove(id.0)?.map(|row| row.value().0);
        let Some(person) = removed else {
            return Ok(Outcome::NotFound);
        };
        self.person_tasks.remove((person, id.0))?;
        Ok(Outcome::Done)
    }

    fn put_person(&mut self, person: &Person) -> Result<Outcome, StoreError> {
        let row = (
            person.username.as_str(),
            person.email.as_str(),
            person.active,
        );
        let old = self.people.insert(person.id.0, row)?;
        Ok(if old.is_some() {
            Outcome::Done
        } else {
            Outcome::Created
        })
    }

    fn remove_person(&mut self, id: PersonId) -> Result<Outcome, StoreError> {
        if self.people.remove(id.0)?.is_none() {
            return Ok(Outcome::NotFound);
        }
        let theirs = (id.0, 0)..=(id.0, u64::MAX);
        let tasks = self
            .person_tasks
            .range(theirs.clone())?
            .map(|entry| Ok(entry?.0.value().1))
            .collect::<Result<Vec<u64>, StoreError>>()?;
        for task in tasks {
            self.tasks.remove(task)?;
        }
        self.person_tasks.retain_in(theirs, |_, ()| false)?;
        Ok(Outcome::Done)
    }
}

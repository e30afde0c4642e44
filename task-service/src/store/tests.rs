use super::*;
use crate::body::Value;
use crate::people::Person;
use crate::task::{NewTask, TaskEdit, Title};

fn store(folder: &Path) -> Store {
    Store::open(folder, 1 << 20).unwrap()
}

fn person(id: u64) -> Change {
    Change::PutPerson(Person {
        id: PersonId(id),
        username: format!("p{id}"),
        email: String::new(),
        active: true,
    })
}

fn task(person: u64) -> NewTask {
    NewTask {
        title: Title::parse(&Value::Text("x".to_owned().into())).unwrap(),
        due_to: DueTo::from_micros(0).unwrap(),
        person: PersonId(person),
    }
}

fn ids(store: &Store) -> Vec<u64> {
    let mut ids = Vec::new();
    store
        .tasks::<StoreError>(|task| {
            ids.push(task.id.0);
            Ok(())
        })
        .unwrap();
    ids
}

fn ids_of(store: &Store, person: u64) -> Option<Vec<u64>> {
    let show = |person: Option<PersonView<'_>>| person.map(|person| person.tasks.to_vec());
    store.person(PersonId(person), show).unwrap()
}

#[test]
fn ids_rise_and_are_never_reused() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(folder.path());
    first
        .apply(&[
            person(1),
            Change::CreateTask(task(1)),
            Change::CreateTask(task(1)),
        ])
        .unwrap();
    first.apply(&[Change::RemoveTask(TaskId(2))]).unwrap();
    first.close().unwrap();
    let again = store(folder.path());
    let made = again.apply(&[Change::CreateTask(task(1))]).unwrap();
    assert_eq!(made, [Outcome::Task(TaskId(3), task(1))]);
    assert_eq!(ids(&again), [1, 3]);
}

#[test]
fn a_refused_change_leaves_the_others_of_its_batch() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let outcomes = store
        .apply(&[
            Change::CreateTask(task(1)),
            person(1),
            person(1),
            Change::CreateTask(task(1)),
            Change::EditTask(
                TaskId(1),
                TaskEdit {
                    person: Some(PersonId(9)),
                    ..TaskEdit::default()
                },
            ),
            Change::EditTask(TaskId(7), TaskEdit::default()),
            Change::RemoveTask(TaskId(7)),
            Change::RemovePerson(PersonId(9)),
        ])
        .unwrap();
    assert_eq!(
        outcomes,
        [
            Outcome::UnknownPerson(PersonId(1)),
            Outcome::Created,
            Outcome::Done,
            Outcome::Task(TaskId(1), task(1)),
            Outcome::UnknownPerson(PersonId(9)),
            Outcome::NotFound,
            Outcome::NotFound,
            Outcome::NotFound,
        ]
    );
    assert_eq!(ids_of(&store, 1), Some(vec![1]));
}

#[test]
fn the_index_follows_the_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let make = || Change::CreateTask(task(1));
    store
        .apply(&[person(1), person(2), make(), make(), make()])
        .unwrap();
    let to_two = TaskEdit {
        person: Some(PersonId(2)),
        ..TaskEdit::default()
    };
    store
        .apply(&[
            Change::EditTask(TaskId(2), to_two),
            Change::RemoveTask(TaskId(3)),
        ])
        .unwrap();
    assert_eq!(ids_of(&store, 1), Some(vec![1]));
    assert_eq!(ids_of(&store, 2), Some(vec![2]));
    store.apply(&[Change::RemovePerson(PersonId(1))]).unwrap();
    assert_eq!((ids(&store), ids_of(&store, 1)), (vec![2], None));
    store.apply(&[person(1)]).unwrap();
    assert_eq!(ids_of(&store, 1), Some(vec![]));
}

#[test]
fn a_store_is_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let _open = store(folder.path());
    let second = Store::open(folder.path(), 1 << 20);
    assert!(matches!(second, Err(StoreError::InUse(_))), "{second:?}");
    let copy = backup(folder.path(), &folder.path().join("copy"));
    assert!(matches!(
        copy,
        Err(BackupError::Store(StoreError::InUse(_)))
    ));
}

#[test]
fn a_backup_is_a_whole_store() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(folder.path());
    first
        .apply(&[
            person(1),
            Change::CreateTask(task(1)),
            Change::CreateTask(task(1)),
        ])
        .unwrap();
    first.apply(&[Change::RemoveTask(TaskId(2))]).unwrap();
    first.close().unwrap();
    let other = tempfile::tempdir().unwrap();
    let target = other.path().join(FILE_NAME);
    backup(folder.path(), &target).unwrap();
    assert!(matches!(
        backup(folder.path(), &target),
        Err(BackupError::Exists(_))
    ));
    let copy = store(other.path());
    assert_eq!(ids_of(&copy, 1), Some(vec![1]));
    let made = copy.apply(&[Change::CreateTask(task(1))]).unwrap();
    assert_eq!(made, [Outcome::Task(TaskId(3), task(1))]);
}

#[test]
fn what_a_killed_first_start_left_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let draft = format!("{FILE_NAME}.new-{}", std::process::id());
    fs::write(folder.path().join(draft), "half a database").unwrap();
    drop(store(folder.path()));
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, [FILE_NAME]);
}

//! The conditional writes of families agree with the pure functions of `Family`. `tests/model/` explores those functions,
//! so its results also hold for the expressions that DynamoDB evaluates.

use std::iter::repeat_n;

use countersign::confirmation::Confirmation;
use countersign::refresh_token::{Family, FamilyId, NextGeneration, Presented, RefreshToken, Standing};
use countersign::scope::Scope;
use countersign::store::Rotation;
use countersign::user::Username;

use testing::{NOW, TestApp};

const CLIENT: &str = "the-client";
/// The generation that the rotations use.
const USED: u32 = 2;

/// Returns families that differ in everything that a condition compares, on both sides of each limit.
fn families() -> Vec<Family> {
    let mut families = vec![Family {
        client_id: CLIENT.to_owned(),
        username: Username::parse("john").unwrap(),
        user_id: "7".to_owned(),
        session_generation: Some(3),
        scopes: Scope::parse("a").unwrap(),
        version: 2,
        auth_time: NOW - 100,
        generation: USED,
        rotated_at: NOW - 50,
        rotated_by: "an earlier request".to_owned(),
        revoked: false,
        absolute_expires_at: NOW + 1,
        expires_at: NOW + 1,
        resource: None,
        cnf: None,
        authorization: None,
    }];
    let mut vary = |count, change: fn(&mut Family, u64)| {
        let varied = families.iter().flat_map(|family| repeat_n(family.clone(), count).zip(0..));
        families = varied.map(|(mut family, index)| (change(&mut family, index), family).1).collect();
    };
    vary(2, |family, index| family.revoked = index == 1);
    vary(2, |family, index| family.client_id.truncate(if index == 1 { 3 } else { usize::MAX }));
    vary(3, |family, index| family.generation = USED - 1 + u32::try_from(index).unwrap());
    vary(3, |family, index| family.expires_at -= index);
    vary(3, |family, index| family.absolute_expires_at -= index);
    families
}

/// Returns the generation that the rotations make.
fn next() -> NextGeneration<'static> {
    NextGeneration {
        client_id: CLIENT,
        rotated_at: NOW,
        rotated_by: "this request".to_owned(),
        expires_at: NOW + 50,
        cnf: Some(Confirmation::Jkt("thumbprint".to_owned())),
    }
}

#[tokio::test]
async fn a_rotation_is_written_exactly_if_its_token_is_active() {
    let test = TestApp::start().await;
    let store = &test.app.store;
    let mut applied = 0;
    for found in families() {
        let used = RefreshToken { family: FamilyId::generate(), generation: USED };
        store.begin_refresh_family(used.family, &found).await.unwrap();
        let next = next();
        let rotation = store.rotate_refresh_token(used, &next).await.unwrap();
        let stored = store.refresh_family(used.family).await.unwrap();
        if found.standing(Presented { generation: USED, client_id: CLIENT, at: NOW }, 0) == Standing::Active {
            assert!(matches!(rotation, Rotation::Rotated), "not written to {found:?}");
            let NextGeneration { rotated_at, rotated_by, expires_at, cnf, .. } = next;
            let generation = USED + 1;
            assert_eq!(stored, Some(Family { generation, rotated_at, rotated_by, expires_at, cnf, ..found }));
            applied += 1;
        } else {
            let Rotation::Lost(lost) = rotation else { panic!("written to {found:?}") };
            assert_eq!((lost.as_deref(), stored.as_ref()), (Some(&found), Some(&found)));
        }
    }
    assert_eq!((applied, families().len()), (1, 108));
}

#[tokio::test]
async fn a_rotation_of_a_missing_family_stores_nothing() {
    let test = TestApp::start().await;
    let used = RefreshToken { family: FamilyId::generate(), generation: USED };
    let rotation = test.app.store.rotate_refresh_token(used, &next()).await.unwrap();
    assert!(matches!(rotation, Rotation::Lost(None)));
    assert_eq!(test.app.store.refresh_family(used.family).await.unwrap(), None);
}

#[tokio::test]
async fn a_login_stores_its_family_only_if_none_is_stored() {
    let test = TestApp::start().await;
    let (store, families, id) = (&test.app.store, families(), FamilyId::generate());
    let (first, late) = (families.last().unwrap(), &families[0]);
    for family in [first, late] {
        store.begin_refresh_family(id, family).await.unwrap();
        assert_eq!(store.refresh_family(id).await.unwrap().as_ref(), Some(first));
    }
}

#[tokio::test]
async fn a_revocation_changes_only_revoked_and_stores_no_missing_family() {
    let test = TestApp::start().await;
    let (store, id) = (&test.app.store, FamilyId::generate());
    store.revoke_refresh_family(id).await.unwrap();
    assert_eq!(store.refresh_family(id).await.unwrap(), None);
    for family in families() {
        let id = FamilyId::generate();
        store.begin_refresh_family(id, &family).await.unwrap();
        store.revoke_refresh_family(id).await.unwrap();
        assert_eq!(store.refresh_family(id).await.unwrap(), Some(Family { revoked: true, ..family }));
    }
}

import {
  membershipRelationship,
  organizationRelationship,
  type Relationship,
  type RelationshipRegistry,
  type Services,
} from 'phi-gateway'

/** The source of each relationship that a grant of the schema names. */
export function relationships(services: Services): RelationshipRegistry {
  const { access: table, keyring, events, records } = services
  const parts = { table, keyring, events }
  return new Map([
    ['CARE_TEAM' as Relationship, membershipRelationship('CARE_TEAM', parts)],
    ['SELF' as Relationship, membershipRelationship('SELF', parts)],
    ['ORGANIZATION' as Relationship, organizationRelationship(records)],
  ])
}

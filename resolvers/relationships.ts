import {
  authorRelationship,
  membershipRelationship,
  organizationRelationship,
  type Relationship,
  type RelationshipRegistry,
  type Services,
} from '../gateway/index.ts'

/** The sources of the clinic's relationships, by the names in its schema. */
export function clinicRelationships({
  access,
  keyring,
  events,
  records,
}: Pick<Services, 'access' | 'keyring' | 'events' | 'records'>): RelationshipRegistry {
  const parts = { table: access, keyring, events }
  return new Map([
    ['CARE_TEAM' as Relationship, membershipRelationship('CARE_TEAM', parts)],
    ['SELF' as Relationship, membershipRelationship('SELF', parts)],
    ['PROXY' as Relationship, membershipRelationship('PROXY', parts)],
    ['AUTHOR' as Relationship, authorRelationship],
    ['ORGANIZATION' as Relationship, organizationRelationship(records)],
  ])
}

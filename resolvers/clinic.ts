import {
  foundBy,
  erasureQueries,
  mutationResolvers,
  operationQueries,
  panelOf,
  patientOf,
  recordById,
  recordsOf,
  referenced,
  type Resolvers,
} from '../gateway/index.ts'
import { clinicBreakGlass } from './break-glass.ts'
import { clinicRelationships } from './relationships.ts'

// The roots and edges of the shipped clinic. Each leaf is generated from the policy table.

const patient = patientOf('Patient')
const encounter = referenced('Encounter', 'encounter')

export const clinicResolvers: Resolvers = {
  Query: {
    viewer: (_source, _args, { scope }) => {
      const { user, tenant, roles, purpose, mayClaim, sessionExpiresAt } = scope.caller
      return {
        userId: user,
        tenant,
        roles: [...roles],
        purpose,
        mayClaim,
        sessionExpiresAt: sessionExpiresAt === undefined ? null : new Date(sessionExpiresAt).toISOString(),
      }
    },
    node: recordById(),
    patient: recordById('Patient'),
    patients: panelOf('Patient'),
    patientsByIdentifier: foundBy('Patient'),
    patientByNameAndBirthDate: foundBy('Patient'),
    breakGlassGrants: async (_source, args, { mutations }, info) => await mutations.reviews.page(args, info),
    explainAccess: async (_source, args, { scope }, info) => await scope.explainAccess(args, info),
    whoSawMyRecord: async (_source, args, { scope }, info) => await scope.whoSawMyRecord(args, info),
    disclosuresOfMyRecord: async (_source, args, { scope }, info) => await scope.disclosuresOfMyRecord(args, info),
    ...erasureQueries,
    ...operationQueries,
  },
  Mutation: mutationResolvers,
  Patient: {
    encounters: recordsOf('Encounter'),
    conditions: recordsOf('Condition'),
    observations: recordsOf('Observation'),
    medicationRequests: recordsOf('MedicationRequest'),
    allergyIntolerances: recordsOf('AllergyIntolerance'),
    immunizations: recordsOf('Immunization'),
    procedures: recordsOf('Procedure'),
    documentReferences: recordsOf('DocumentReference'),
    coverages: recordsOf('Coverage'),
    claims: recordsOf('Claim'),
    careTeam: recordsOf('CareTeamMember'),
  },
  Encounter: { patient },
  Condition: { patient, encounter },
  Observation: { patient, encounter },
  MedicationRequest: { patient, encounter },
  AllergyIntolerance: { patient },
  Immunization: { patient },
  Procedure: { patient, encounter },
  DocumentReference: { patient, encounter },
  Coverage: { patient },
  Claim: { patient, encounter },
}

/** The clinic's part of the wiring, beside its schema and lock. */
export const clinic = { resolvers: clinicResolvers, relationships: clinicRelationships, breakGlass: clinicBreakGlass }

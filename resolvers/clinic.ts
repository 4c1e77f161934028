import type { GraphQLResolveInfo } from 'graphql'
import type { GatewayContext, Resolver, Resolvers } from '../disclosure/leaf-resolvers.ts'
import { RecordView } from '../disclosure/record-view.ts'
import { BadUserInput } from '../vocabulary/failures.ts'
import type { RecordId, TypeName } from '../vocabulary/ids.ts'

// The roots and edges of the shipped clinic. Every leaf is generated from the policy table.

const PATIENT = 'Patient' as TypeName

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
    node: async (_source, args, { scope }, info) => await scope.byId(idOf(args), undefined, info),
    patient: async (_source, args, { scope }, info) => await scope.byId(idOf(args), PATIENT, info),
    patients: async (_source, args, { scope }, info) => await scope.panel(PATIENT, args, info),
  },
  Patient: {
    observations: recordsOf('Observation' as TypeName),
    careTeam: recordsOf('CareTeamMember' as TypeName),
  },
  Observation: {
    patient: ofPatient,
  },
}

/** An edge to all records of one type of a patient. */
function recordsOf(type: TypeName): Resolver {
  return async (patient, args, { scope }, info) =>
    patient instanceof RecordView ? await scope.recordsOf(patient, type, args, info) : null
}

/** The edge from a record to its patient. */
async function ofPatient(
  record: unknown,
  _args: unknown,
  { scope }: GatewayContext,
  info: GraphQLResolveInfo,
): Promise<RecordView | null> {
  if (!(record instanceof RecordView)) return null
  const { patient } = record.ref
  return await scope.follow({ type: PATIENT, patient, id: patient as string as RecordId }, info)
}

function idOf({ id }: Record<string, unknown>): string {
  if (typeof id !== 'string') throw new BadUserInput()
  return id
}

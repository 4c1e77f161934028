import type { TypeName } from '../../directives/coordinates.ts'
import { type RecordId, recordKey } from '../model/ids.ts'
import { decoyId } from './decoy.ts'
import { idDetail } from '../model/limit-details.ts'
import { BadUserInput } from '../model/failures.ts'
import type { ReadResolver } from './leaf-resolvers.ts'
import { RecordView } from './record-view.ts'

// The resolvers that most schemas need, for roots and edges. The scope of the request decides about their targets.

/** A root `client(id: ID!): Client`. Without a type it is `node(id: ID!): Node`. */
export function recordById(type?: string): ReadResolver {
  return async (_source, { id }, { scope }, info) => {
    if (typeof id !== 'string') throw new BadUserInput({ detail: idDetail('id') })
    return await scope.byId(id, type as TypeName | undefined, info)
  }
}

/** A root `clients(first: Int, after: String): ClientConnection`: the patients with a relationship to the caller. */
export function panelOf(type: string): ReadResolver {
  return async (_source, args, { scope }, info) => await scope.connections.panel(type as TypeName, args, info)
}

/** A root `clientsByPhone(phone: String @reads(field: "Client.phone"), first: Int, after: String): ClientConnection`. */
export function foundBy(type: string): ReadResolver {
  return async (_source, args, { scope }, info) => await scope.connections.found(type as TypeName, args, info)
}

/** The edge from the record that is the patient to all records of one type: a connection with a grant of its own. */
export function recordsOf(type: string): ReadResolver {
  return async (patient, args, { scope }, info) =>
    patient instanceof RecordView ? await scope.connections.ofPatient(patient, type as TypeName, args, info) : null
}

/** The edge from a record to the one that is its patient. */
export function patientOf(type: string): ReadResolver {
  return async (record, _args, { scope }, info) => {
    if (!(record instanceof RecordView)) return null
    const { patient } = record.ref
    return await scope.follow({ type: type as TypeName, patient, id: patient as string as RecordId }, info)
  }
}

/**
 * The edge from a record to another one of the same patient, by a reference of its metadata; null when it has none. Without a reference
 * a decoy is followed, because the work must not show whether an edge leads to a closed record or to none (P5).
 */
export function referenced(type: string, reference: string): ReadResolver {
  return async (record, _args, { scope }, info) => {
    if (!(record instanceof RecordView)) return null
    const { ref } = record
    const id = record.reference(reference)
    const decoy = decoyId(`${recordKey(ref)} ${reference}`) as RecordId
    const target = await scope.follow({ type: type as TypeName, patient: ref.patient, id: id ?? decoy }, info)
    return id === undefined ? null : target
  }
}

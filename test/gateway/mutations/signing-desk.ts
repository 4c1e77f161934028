import type { RunningClinic } from '../../harness/running-clinic.ts'
import { at } from '../asking.ts'

// The requests of tests that sign documents.

const SIGNED = 'id version signature { valid signer signedAt }'
export const SIGN = `mutation ($id: ID!, $version: Int!) { signDocument(id: $id, expectedVersion: $version) { ${SIGNED} } }`
export const SIGNATURE = `query ($id: ID!) { node(id: $id) { ... on DocumentReference { ${SIGNED} } } }`
export const UPDATE_DOCUMENT = `mutation ($id: ID!, $version: Int!, $patch: DocumentReferencePatch!, $key: String!) {
  updateDocumentReference(id: $id, expectedVersion: $version, patch: $patch, idempotencyKey: $key) { version record { ${SIGNED} } }
}`
const CREATE_DOCUMENT = `mutation ($patient: ID!, $input: DocumentReferenceInput!, $key: String!) {
  createDocumentReference(patientId: $patient, input: $input, idempotencyKey: $key) { version record { id } }
}`
let keys = 0

/** A new idempotency key. */
export const newKey = (): string => `sign-${++keys}`

/** The id of a new note of a patient. */
export async function writtenNote(
  { ask }: Pick<RunningClinic, 'ask'>,
  patient: string,
  user = 'physician',
  text = 'Stable. No change of medication.',
): Promise<string> {
  const answer = await ask(user, CREATE_DOCUMENT, { patient, input: { text, author: 'Dr. Example' }, key: newKey() })
  return String(at(answer.data, 'createDocumentReference', 'record', 'id'))
}

/** The signature of a document, as a user sees it. */
export async function signatureOf({ ask }: Pick<RunningClinic, 'ask'>, id: string, user = 'physician'): Promise<unknown> {
  return at((await ask(user, SIGNATURE, { id })).data, 'node', 'signature')
}

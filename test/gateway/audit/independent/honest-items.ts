import { openImporter } from '../../../../gateway/admin/open-importer.ts'
import { MINORS } from '../../../../gateway/model/minors.ts'
import { decodeNodeId } from '../../../../gateway/model/node-id.ts'
import { clinicLock } from '../../../../schema/clinic.ts'
import type { ClinicAnswer, RunningClinic } from '../../../harness/running-clinic.ts'
import { at, first, nodesAt, patientsOf, RIVERSIDE } from '../../asking.ts'
import type { AuditItem } from './alterations.ts'

/** The nurse is on the care team of the first ten patients, so the eleventh opens by break-glass only. */
export const PATIENTS = 11

/** One field in each request, so that a change of the caller concerns one record. */
const SINGLE: Readonly<Record<string, string>> = {
  physician: 'birthDate familyName gender phone email deceasedDate race language mrn',
  nurse: 'birthDate familyName givenName phone',
  frontdesk: 'birthDate familyName phone email mrn',
  billing: 'ssn familyName birthDate mrn gender',
  researcher: 'birthDate gender race ethnicity deceasedDate',
  patient: 'ssn familyName birthDate phone mrn',
  proxy: 'familyName birthDate phone email gender',
  acme: 'familyName birthDate gender mrn',
}

const EDGES = `
  conditions(first: 2) { edges { node { code { text } onsetDateTime clinicalStatus recordedDate } } }
  encounters(first: 2) { edges { node { period { start } status type { text } } } }
  observations(first: 2) { edges { node { code { text } effectiveDateTime valueQuantity { value } } } }
  claims(first: 2) { edges { node { created total status } } }
  coverages(first: 2) { edges { node { subscriberId type period { start } } } }
  medicationRequests(first: 2) { edges { node { medication { text } authoredOn } } }
  immunizations(first: 2) { edges { node { vaccineCode { text } occurrenceDateTime } } }
  documentReferences(first: 2) { edges { node { date type { text } } } }
  careTeam { edges { node { role period { start } } } }`
const FIELDS =
  'familyName givenName birthDate ssn mrn phone email gender race deceasedDate address { city state postalCode country line }'

/** Searches by a value that the front desk reads first. */
const SEARCHES: readonly (readonly [user: string, argument: string])[] = [
  ['frontdesk', 'mrn: $mrn'],
  ['frontdesk', 'phone: $phone'],
  ['physician', 'mrn: $mrn'],
  ['billing', 'mrn: $mrn'],
]
const BREAK_GLASS = { 'x-purpose-of-use': 'BTG' }
const EMERGENCY = { 'x-purpose-of-use': 'ETREAT' }

/** All audit items of a process after requests by each role, with the outcomes of the shipped policy, in the form of an export. */
export async function honestItems(clinic: RunningClinic): Promise<AuditItem[]> {
  const requests: string[] = []
  const ask = async (
    user: string,
    query: string,
    variables: Record<string, unknown> = {},
    headers: Record<string, string> = {},
  ): Promise<ClinicAnswer> => {
    const answer = await clinic.ask(user, query, variables, headers)
    if (answer.data == null) throw new Error(`a question that the gateway refuses: ${JSON.stringify(answer.errors)}`)
    requests.push(answer.phi.requestId)
    return answer
  }
  const chart = async (user: string, id: string, fields: string, headers = {}): Promise<ClinicAnswer> =>
    await ask(user, `query ($id: ID!) { patient(id: $id) { ${fields} } }`, { id }, headers)

  // every request counts, so that the lanes have no gap
  const listed = async (user: string): Promise<string[]> => await patientsOf({ ask }, user)
  const all = await listed('frontdesk')
  const panel = new Set(await listed('nurse'))
  const outside = first(all.filter((id) => !panel.has(id)))
  await actByProxy([...panel].slice(0, 2))
  for (const [user, fields] of Object.entries(SINGLE)) {
    const ids = user === 'acme' ? all : await listed(user)
    for (const [at, field] of fields.split(' ').entries()) await chart(user, ids[at % ids.length] ?? '', field)
    for (const id of user === 'proxy' ? ids : ids.slice(0, 1)) await chart(user, id, `${FIELDS} ${EDGES}`)
  }
  await chart('nurse', outside, 'birthDate familyName phone')
  await ask('nurse', 'mutation ($id: ID!) { breakGlass(patientId: $id, reason: "found unconscious") { id } }', { id: outside })
  for (const field of ['birthDate', 'familyName', 'phone', 'mrn', 'gender', 'email', `${FIELDS} ${EDGES}`])
    await chart('nurse', outside, field, BREAK_GLASS)
  for (const field of ['mrn', 'email']) await chart('physician', first([...panel]), field, EMERGENCY)
  for (let time = 0; time < 2; time++) await ask('privacy', '{ breakGlassGrants { edges { node { id } } } }')
  const grants = await ask('privacy', '{ breakGlassGrants { edges { node { id patientId reason } } } }')
  const id = at(first(nodesAt(grants.data, 'breakGlassGrants')), 'id')
  await ask('privacy', 'mutation ($id: ID!) { endBreakGlass(id: $id) { id } }', { id })
  await ask('privacy', 'mutation ($id: ID!) { reviewBreakGlass(id: $id, finding: FOLLOW_UP, note: "ask the ward") { note } }', {
    id,
  })
  const plan = '{ patient(id: \\"x\\") { familyName ssn } }'
  for (const user of ['physician', 'billing', 'researcher'])
    await ask(user, `query ($id: ID) { explainAccess(query: "${plan}", patientId: $id) { paths { path } } }`, {
      id: first(await listed(user)),
    })
  const found = await chart('frontdesk', first(all), 'mrn phone')
  const variables = at(found.data, 'patient') as Record<string, unknown>
  for (const [user, argument] of SEARCHES) {
    const query = `query ($${argument.slice(0, argument.indexOf(':'))}: String) { patientsByIdentifier(${argument}) { edges { node { gender } } } }`
    await ask(user, query, Object.fromEntries(Object.entries(variables).filter(([name]) => argument.startsWith(name))))
  }
  // one after the other: hundreds of connections at once exceed the connect timeout of the client
  const entries = []
  for (const request of requests) entries.push(...(await clinic.services.history.ofRequest(RIVERSIDE, request)))
  return [...Map.groupBy(entries, ({ lane, sequence }) => `${lane}/${sequence}`).values()]
}

/** Makes the proxy of the demo act for patients: for the first one without limits, for the others within those of a minor. */
async function actByProxy(ids: readonly string[]): Promise<void> {
  const importer = await openImporter(RIVERSIDE, clinicLock(), 'existing')
  try {
    for (const [at, id] of ids.entries()) {
      const { patient } = decodeNodeId(id) ?? {}
      if (patient === undefined) throw new Error('no node id')
      const periods = [at === 0 ? {} : { scope: MINORS.scope }]
      const membership = { patient, relationship: 'PROXY', fhirUser: 'RelatedPerson/proxy', periods } as const
      await importer.write({ patient, records: [], memberships: [membership] })
    }
  } finally {
    await importer.close()
  }
}

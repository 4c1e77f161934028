import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { RecordLabel } from '../directives/policy.ts'
import { CONFIDENTIALITIES, REFRAINS, UNKNOWN_LABEL } from '../directives/record-labels.ts'
import { type Entry } from './bundle.ts'
import { confidentialityOf } from './document-bundle.ts'
import { isObject } from './object.ts'
import type { CodeLabels } from './labels.ts'

const Names = z.enum(['Confidentiality', 'ActCode', 'ActReason', 'ObservationValue', 'ActUSPrivacyLaw'])
type SystemName = z.output<typeof Names>
const Lists = z.object({
  /** The URIs of each code system: of FHIR R4, of FHIR STU3 and as an OID. The first one is the URI of the code lists. */
  systems: z.record(Names, z.array(z.string()).min(1)),
  /** Labels that are known and close nothing. */
  withoutEffect: z.array(z.object({ system: Names, codes: z.array(z.tuple([z.string(), z.string()])) })),
})
const LISTS = Lists.parse(JSON.parse(readFileSync(new URL('./security-labels.json', import.meta.url), 'utf8')))
const SYSTEMS: ReadonlyMap<unknown, SystemName> = new Map(
  Names.options.flatMap((name) => LISTS.systems[name].map((uri) => [uri, name])),
)
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(
  LISTS.withoutEffect.flatMap(({ system, codes }) => codes.map(([code]) => `${system} ${code}`)),
)

/** Labels a part of a resource. The API gives and withholds whole records, so the label applies to the record. */
const INLINE_LABEL = 'http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label'

/**
 * The labels that the security labels of a resource give its record: `meta.security` and `securityLabel` of the resource and of
 * the resources that it contains, and inline labels of its elements. A label that is unknown or unreadable becomes `?`, and closes
 * the record.
 *
 * - A sensitivity of the schema, or a code of the code lists, gives that sensitivity.
 * - R, V, NOPAT and NOAUTH give themselves.
 * - The other confidentialities, refrains and obligations, purposes of use and integrity codes of HL7 give nothing.
 *
 * @source https://hl7.org/fhir/R4/security-labels.html; HL7 FHIR Data Segmentation for Privacy (DS4P)
 */
export function securityLabelsOf(resource: Readonly<Record<string, unknown>>, codes: CodeLabels): readonly RecordLabel[] {
  const labels = new Set<RecordLabel>()
  for (const coding of codingsOf(resource)) for (const label of labelsOfCoding(coding, codes)) labels.add(label)
  return [...labels].toSorted()
}

/**
 * The labels that all resources of a bundle get: those of a document, and those of the bundle that none of its resources has. A bundle
 * has the highest labels of its resources, so that such a label can only be meant for all of them.
 */
export function labelsOfBundle(
  bundle: Readonly<Record<string, unknown>>,
  entries: readonly Pick<Entry, 'resource'>[],
  codes: CodeLabels,
): readonly RecordLabel[] {
  const labels = securityLabelsOf({ meta: bundle['meta'] }, codes)
  const ofDocument = securityLabelsOf({ meta: { security: confidentialityOf(bundle) } }, codes)
  if (labels.length === 0) return ofDocument
  const found = new Set<RecordLabel>(
    entries.flatMap(({ resource }) => [...securityLabelsOf(resource, codes), ...codes.labelsOf(resource)]),
  )
  return [...new Set([...ofDocument, ...labels.filter((label) => !found.has(label))])].toSorted()
}

/** Each coding of a security label. A label that cannot be read gives undefined. */
function* codingsOf(resource: Readonly<Record<string, unknown>>): Generator {
  const contained: readonly unknown[] = Array.isArray(resource['contained']) ? resource['contained'] : []
  for (const part of [resource, ...contained.filter(isObject)]) {
    const { meta, securityLabel } = part
    if (isObject(meta)) yield* listOf(meta['security'])
    else if (isGiven(meta)) yield undefined
    for (const concept of listOf(securityLabel)) {
      // FHIR R4 has a CodeableConcept here, and one version of it a Coding
      if (isObject(concept) && isGiven(concept['coding'])) yield* atLeastOne(listOf(concept['coding']))
      else yield concept
    }
  }
  yield* inlineLabels(resource)
}

function* inlineLabels(resource: unknown): Generator {
  const open: unknown[] = [resource]
  // no recursion, as in `CodeLabels.labelsOf`
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value !== 'object' || value === null) continue
    if ((value as { readonly url?: unknown }).url === INLINE_LABEL) yield (value as { readonly valueCoding?: unknown }).valueCoding
    for (const inside of Object.values(value) as unknown[]) open.push(inside)
  }
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/** The items of a list; one unreadable item for what is no list. */
function listOf(value: unknown): readonly unknown[] {
  if (!isGiven(value)) return []
  return Array.isArray(value) ? (value as readonly unknown[]) : [undefined]
}

const atLeastOne = (items: readonly unknown[]): readonly unknown[] => (items.length === 0 ? [undefined] : items)

function labelsOfCoding(coding: unknown, codes: CodeLabels): readonly RecordLabel[] {
  if (!isObject(coding) || typeof coding['code'] !== 'string') return [UNKNOWN_LABEL]
  const { system, code } = coding
  const name = SYSTEMS.get(system)
  const mark = MARKS.find(({ of, label }) => of === name && label === code)
  if (mark !== undefined) return [mark.label]
  const sensitivity = name === 'ActCode' ? [...codes.sensitivities].find((one) => (one as string) === code) : undefined
  // code lists know the current URI of a code system only
  const listed = codes.labelsOf({ system: name === undefined ? system : LISTS.systems[name][0], code })
  if (sensitivity !== undefined || listed.length > 0) return [...listed, ...(sensitivity === undefined ? [] : [sensitivity])]
  return name !== undefined && WITHOUT_EFFECT.has(`${name} ${code}`) ? [] : [UNKNOWN_LABEL]
}

const MARKS: readonly { readonly of: SystemName; readonly label: RecordLabel }[] = [
  ...CONFIDENTIALITIES.map((label) => ({ of: 'Confidentiality', label }) as const),
  ...REFRAINS.map((label) => ({ of: 'ActCode', label }) as const),
]

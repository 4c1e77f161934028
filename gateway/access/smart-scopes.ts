/** The interactions of FHIR that a scope can permit: create, read, update, delete, search. */
const INTERACTIONS = ['c', 'r', 'u', 'd', 's'] as const
type Interaction = (typeof INTERACTIONS)[number]

/** A scope of SMART App Launch for FHIR resources. */
export interface ResourceScope {
  readonly context: 'patient' | 'user' | 'system'
  /** A FHIR resource type, or `*` for all of them. */
  readonly type: string
  readonly interactions: ReadonlySet<Interaction>
  /** The search parameters of a granular scope as texts, sorted and without repetition: `category=laboratory`. */
  readonly parameters: readonly string[]
}

const SCOPE = /^(patient|user|system)\/([A-Z][A-Za-z]*|\*)\.(read|write|\*|[cruds]+)(?:\?([^?]+))?$/
/** At least one letter, each at most once, in this order. */
const LETTERS = /^(?=.)c?r?u?d?s?$/
const PARAMETER = /^[^=]+=.+$/
/** The characters of a scope (RFC 6749 section 3.3). */
const SCOPE_CHARACTERS = /^[!#-[\]-~]+$/
const VERSION_1: Readonly<Record<string, string>> = { read: 'rs', write: 'cud', '*': 'cruds' }

/**
 * Reads a scope for FHIR resources. Any other scope gives undefined: `openid`, `launch/patient`, `offline_access`, and each text
 * that does not follow the grammar, letters out of order included.
 *
 *     scope        = context "/" type "." interactions [ "?" parameter *( "&" parameter ) ]
 *     context      = "patient" / "user" / "system"
 *     type         = FHIR resource type / "*"
 *     interactions = at least one letter of "cruds", in this order
 *                  / "read" / "write" / "*"   ; version 1: "rs", "cud", "cruds"
 *     parameter    = name "=" value
 *
 * A scope of version 1 has no parameters.
 *
 * @source SMART App Launch 2.2.0, "Scopes for requesting FHIR Resources" and "FHIR Resource Scope Syntax":
 *   https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
 */
export function resourceScope(text: string): ResourceScope | undefined {
  const [, context, type, suffix, query] = (SCOPE_CHARACTERS.test(text) && SCOPE.exec(text)) || []
  if (context === undefined || type === undefined || suffix === undefined) return undefined
  const ofVersion1 = Object.hasOwn(VERSION_1, suffix) ? VERSION_1[suffix] : undefined
  const letters = ofVersion1 ?? suffix
  const parameters = query?.split('&') ?? []
  if (!LETTERS.test(letters) || !parameters.every((parameter) => PARAMETER.test(parameter))) return undefined
  if (ofVersion1 !== undefined && query !== undefined) return undefined
  return {
    context: context as ResourceScope['context'],
    type,
    interactions: new Set(INTERACTIONS.filter((letter) => letters.includes(letter))),
    parameters: [...new Set(parameters)].toSorted(),
  }
}

/**
 * Whether granted scopes cover a wanted one. Together, scopes of its context permit its interactions on its type: `Patient.r Patient.s`
 * equals `Patient.rs` ("Scope Equivalence"). A granular scope covers only a scope with equal parameters. Parameters are compared as
 * texts, so that two spellings of one parameter differ.
 */
export function isCovered(wanted: ResourceScope, granted: readonly ResourceScope[]): boolean {
  const covering = granted.filter(
    ({ context, type, parameters }) =>
      context === wanted.context &&
      (type === '*' || type === wanted.type) &&
      (parameters.length === 0 || hasSameTexts(parameters, wanted.parameters)),
  )
  return [...wanted.interactions].every((interaction) => covering.some(({ interactions }) => interactions.has(interaction)))
}

const hasSameTexts = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((text, index) => text === other[index])

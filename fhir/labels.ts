// as a namespace, because `{ z }` brings the texts of all languages into the bundle of the function: 540 KB
import * as z from 'zod'
import type { Sensitivity } from '../directives/policy.ts'
import ETH from './code-lists/ETH.json' with { type: 'json' }
import GDIS from './code-lists/GDIS.json' with { type: 'json' }
import HIV from './code-lists/HIV.json' with { type: 'json' }
import PSY from './code-lists/PSY.json' with { type: 'json' }
import PSYTHPN from './code-lists/PSYTHPN.json' with { type: 'json' }
import SDV from './code-lists/SDV.json' with { type: 'json' }
import SEX from './code-lists/SEX.json' with { type: 'json' }

/** The shipped files. They are modules, because a bundle for Lambda has no folder of lists. */
const SHIPPED: readonly unknown[] = [ETH, GDIS, HIV, PSY, PSYTHPN, SDV, SEX]

const Source = z.object({
  name: z.string().min(1),
  oid: z.string().optional(),
  url: z.string().optional(),
  version: z.string().optional(),
})
const CodeList = z.object({
  /** The FHIR URI of the code system. Null if the codes are unique in all systems and files use them with several systems. */
  system: z.string().min(1).nullable(),
  /** The publication that assigns these codes to the label. */
  source: Source,
  /** Whether the list includes every code that begins with one of its codes, as in ICD-10-CM. */
  withChildren: z.boolean().default(false),
  codes: z.array(z.tuple([z.string().min(1), z.string()])),
})
const LabelLists = z.array(z.object({ label: z.string().regex(/^[A-Z][A-Z0-9_]{0,30}$/), lists: z.array(CodeList) }))

/** A file is not a valid file of code lists. The error carries no text of the file (P8). */
export class CodeListRefused extends Error {
  override readonly name = 'CodeListRefused'
  constructor(options?: ErrorOptions) {
    super('The code lists are not readable: see docs/consent.md for their form.', options)
  }
}

/** A code list has a label that the schema does not define: no consent rule would apply to its records. */
export class UnknownSensitivity extends Error {
  override readonly name = 'UnknownSensitivity'
  /** The position of the label in its file, from 0. */
  readonly place: number
  constructor(place: number, defined: ReadonlySet<Sensitivity>) {
    // the defined names and a position: a file of another kind may hold anything in place of a label (P8)
    super(
      `Label ${place + 1} of a file of code lists is not a sensitivity of the schema. Use one of ${[...defined].join(', ')}, or add it to the schema: extend enum Sensitivity.`,
    )
    this.place = place
  }
}

/** The labels of records, by the codes that the records contain. */
export class CodeLabels {
  /** The sensitivities of the schema. */
  readonly sensitivities: ReadonlySet<Sensitivity>
  readonly #exact = new Map<string, Set<Sensitivity>>()
  readonly #beginnings = new Map<string, Set<Sensitivity>>()

  /**
   * A file with any fault is refused as a whole: a skipped list would leave records without their label.
   *
   * @param sensitivities of the schema that decides about the records
   * @param files the contents of files, parsed from JSON
   * @throws CodeListRefused, UnknownSensitivity
   */
  constructor(sensitivities: ReadonlySet<Sensitivity>, files: readonly unknown[]) {
    this.sensitivities = sensitivities
    for (const content of files) {
      for (const [place, { label, lists }] of parsed(content).entries()) {
        if (!isSensitivity(label, sensitivities)) throw new UnknownSensitivity(place, sensitivities)
        for (const { system, withChildren, codes } of lists) {
          for (const [code] of codes) {
            const known = withChildren ? this.#beginnings : this.#exact
            const key = keyOf(system, code)
            const labels = known.get(key) ?? new Set()
            known.set(key, labels.add(label))
          }
        }
      }
    }
  }

  /** The labels of all codes in the contents, sorted and without repeats. A code is any object with `system` and `code`. */
  labelsOf(...contents: readonly unknown[]): readonly Sensitivity[] {
    const labels = new Set<Sensitivity>()
    const open: unknown[] = [...contents]
    // no recursion: input that is nested a million times must not exhaust the stack
    while (open.length > 0) {
      const value = open.pop()
      if (typeof value !== 'object' || value === null) continue
      const { system, code } = value as { readonly system?: unknown; readonly code?: unknown }
      if (typeof code === 'string') for (const label of this.#ofCode(system, code)) labels.add(label)
      for (const inside of Object.values(value) as unknown[]) open.push(inside)
    }
    return [...labels].toSorted()
  }

  *#ofCode(system: unknown, code: string): Generator<Sensitivity> {
    yield* this.#exact.get(keyOf(null, code)) ?? []
    if (typeof system !== 'string') return
    yield* this.#exact.get(keyOf(system, code)) ?? []
    for (let end = 1; end <= Math.min(code.length, MAX_BEGINNING); end++) {
      yield* this.#beginnings.get(keyOf(system, code.slice(0, end))) ?? []
    }
  }
}

const MAX_BEGINNING = 16

/** The comparison ignores case and the dot of ICD-10-CM, because some exporters omit the dot. */
const keyOf = (system: string | null, code: string): string => `${system ?? ''}\n${code.toUpperCase().replace('.', '')}`

function parsed(content: unknown): z.output<typeof LabelLists> {
  try {
    return LabelLists.parse(content)
  } catch (error) {
    throw new CodeListRefused({ cause: error })
  }
}

function isSensitivity(label: string, sensitivities: ReadonlySet<string>): label is Sensitivity {
  return sensitivities.has(label)
}

/**
 * The shipped code lists together with the lists of a deployment.
 *
 * @param sensitivities of the schema: `sensitivities` of its lock
 * @param more texts of files of the same form
 * @throws CodeListRefused, UnknownSensitivity
 */
export function codeLabels(sensitivities: ReadonlySet<Sensitivity>, more: readonly string[] = []): CodeLabels {
  return new CodeLabels(sensitivities, [...SHIPPED, ...more.map(contentOf)])
}

function contentOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CodeListRefused({ cause: error })
  }
}

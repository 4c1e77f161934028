import { getNullableType, isLeafType, type GraphQLSchema } from 'graphql'
import type { PhiPolicy } from './policy.ts'
import type { PhiSite } from './classify.ts'
import type { FaultList } from './fault.ts'
import { markedPlaces, readDirective } from './read-directives.ts'

/** Checks that every path in a directive names a suitable value of the schema. */
export function lintReferences(schema: GraphQLSchema, sites: readonly PhiSite[], faults: FaultList): void {
  const values = new Map(sites.filter((site) => site.class === 'VALUE').map((site) => [site.path as string, site]))
  const owner = (site: PhiSite | undefined) => site?.owners.at(-1)
  for (const site of sites) {
    const [searchable] = readDirective(schema, site.field, 'searchable')
    const compound = searchable?.value?.with ?? []
    for (const path of compound) {
      if (values.has(path) && path !== site.path && owner(values.get(path)) === owner(site)) continue
      faults.add(
        searchable?.node,
        site.path,
        `@searchable(with:) names ${path}, which is not another value of the same record.`,
        'a full path such as `Patient.birthDate`.',
      )
    }
    const phi = readDirective(schema, site.field, 'phi')[0]?.value
    if (searchable && compound.length === 0 && phi && isLowEntropy(phi)) {
      faults.add(
        searchable.node,
        site.path,
        'The value is too easy to guess for an index of its own.',
        '@searchable(with: [...]) with another value of the record.',
      )
    }
    for (const part of searchable ? [site, ...compound.flatMap((path) => values.get(path) ?? [])] : []) {
      if (isStoredText(schema, part)) continue
      faults.add(
        searchable?.node,
        site.path,
        `@searchable indexes ${part.path}, which is not a stored text.`,
        'a value of a text scalar that is not computed.',
      )
    }
    const [computed] = readDirective(schema, site.field, 'computed')
    if (computed?.value?.from.length === 0) {
      faults.add(computed.node, site.path, '@computed names no input.', 'the paths that the value is derived from.')
    }
    for (const path of computed?.value?.from ?? []) {
      if (values.has(path) && path !== site.path) continue
      faults.add(
        computed?.node,
        site.path,
        `@computed(from:) names ${path}, which is not another value.`,
        'a full path such as `Patient.birthDate`.',
      )
    }
  }
  for (const { path, definition } of markedPlaces(schema)) {
    const [reads] = readDirective(schema, definition, 'reads')
    if (!reads?.value || values.has(reads.value.field)) continue
    faults.add(
      reads.node,
      path,
      `@reads(field:) names ${reads.value.field}, which is not a value.`,
      'a full path such as `Observation.code`.',
    )
  }
}

const NO_TEXT: ReadonlySet<string> = new Set(['Int', 'Float', 'Boolean'])

/** Whether an index can hold the value. The index of any other value would stay empty, without an error. */
function isStoredText(schema: GraphQLSchema, { class: kind, field }: PhiSite): boolean {
  const type = getNullableType(field.type)
  const computed = readDirective(schema, field, 'computed').length > 0
  return kind === 'VALUE' && isLeafType(type) && !NO_TEXT.has(type.name) && !computed
}

/** Dates, demographics and names have few likely values. An index over one such value can be reversed by guessing. */
function isLowEntropy({
  category,
  identifier,
}: Pick<PhiPolicy, 'category'> & { identifier?: PhiPolicy['identifier'] | null }): boolean {
  return identifier === 'DATE' || identifier === 'NAME' || category === 'DEMOGRAPHIC'
}

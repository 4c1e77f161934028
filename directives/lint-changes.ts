import { Kind, type ConstDirectiveNode, type GraphQLObjectType, type GraphQLSchema } from 'graphql'
import { isChange, permitsChange } from './actions.ts'
import type { PhiSite } from './classify.ts'
import type { FaultList } from './fault.ts'
import { effectiveGrants, grantsOn, isChangeGrant, isStored, ownGrants } from './grants.ts'
import { readDirective, type DirectiveArguments } from './read-directives.ts'
import { STORED_SOURCE } from './record-changes.ts'

/** Checks the arguments of one line with an action that changes. */
export function lintChangeLine(
  node: ConstDirectiveNode,
  path: string,
  { actions, purposes, view }: DirectiveArguments['minimumNecessary'],
  faults: FaultList,
): void {
  if (!permitsChange({ actions })) return
  if (!actions.every(isChange))
    faults.add(
      node,
      path,
      'The grant mixes actions that read with actions that change.',
      'one grant of READ, SEARCH or EXPORT, and another grant of CREATE, UPDATE or DELETE.',
    )
  if (view !== 'FULL')
    faults.add(node, path, `A change grant has the view ${view}.`, 'no view, because a change writes the full value.')
  const breakGlass = node.arguments?.find(({ name }) => name.value === 'breakGlass')?.value
  if (breakGlass?.kind === Kind.BOOLEAN && breakGlass.value)
    faults.add(node, path, 'Break-glass opens no change.', '`breakGlass: false`, or no such argument.')
  if (purposes.includes('BTG'))
    faults.add(node, path, 'A change grant has the purpose BTG, but break-glass opens no change.', 'another purpose.')
}

/** Checks that change grants are on values that the gateway stores, and that a type is retracted as a whole. */
export function lintChanges(schema: GraphQLSchema, sites: readonly PhiSite[], faults: FaultList): void {
  const reported = new Set<ConstDirectiveNode>()
  for (const [record, ofRecord] of Map.groupBy(sites, ({ owners }) => owners.at(-1))) {
    const source = record && readDirective(schema, record, 'record')[0]?.value
    if (!record || !source) continue
    if (source.source !== STORED_SOURCE) {
      lintOtherSource(schema, source.source, ofRecord, reported, faults)
      continue
    }
    for (const site of ofRecord) lintUnstored(schema, site, faults)
    lintRetraction(schema, source.patient === 'id', record, ofRecord.filter(isStored), faults)
  }
}

function lintOtherSource(
  schema: GraphQLSchema,
  source: string,
  sites: readonly PhiSite[],
  reported: Set<ConstDirectiveNode>,
  faults: FaultList,
): void {
  for (const site of sites) {
    const places = [
      ...ownGrants(schema, site).map((written) => ({ ...written, path: site.path })),
      ...site.owners.flatMap((type) => grantsOn(schema, type, type.name).map((written) => ({ ...written, path: type.name }))),
    ]
    for (const { node, grant, path } of places) {
      if (!permitsChange(grant) || reported.has(node)) continue
      reported.add(node)
      faults.add(
        node,
        path,
        `A change grant is on a record of the source ${source}, which the gateway does not write.`,
        `no change grant, or records of the source ${STORED_SOURCE}.`,
      )
    }
  }
}

function lintUnstored(schema: GraphQLSchema, site: PhiSite, faults: FaultList): void {
  if (isStored(site)) return
  const change = ownGrants(schema, site).find(isChangeGrant)
  const what = site.class === 'EDGE' ? 'an edge' : 'a computed value'
  if (change)
    faults.add(
      change.node,
      site.path,
      `A change grant is on ${what}, which no record stores.`,
      'change grants on the values of the record.',
    )
}

/** A retraction takes the whole record, so that a value without a grant of DELETE would contradict it. */
function lintRetraction(
  schema: GraphQLSchema,
  isPatient: boolean,
  record: GraphQLObjectType,
  stored: readonly PhiSite[],
  faults: FaultList,
): void {
  const deletes = (site: PhiSite) => effectiveGrants(schema, site).find(({ grant }) => grant.actions.has('DELETE'))
  const first = stored.map(deletes).find((found) => found !== undefined)
  if (first === undefined) return
  if (isPatient) {
    faults.add(
      first.node,
      record.name,
      'A grant of DELETE is on the record of the patient, which cannot be retracted.',
      'no grant of DELETE.',
    )
    return
  }
  for (const site of stored.filter((one) => deletes(one) === undefined))
    faults.add(
      site.field.astNode,
      site.path,
      'A retraction takes the record as a whole, but this value has no grant of DELETE.',
      'a grant of DELETE on each stored value of the type, or on none.',
    )
}

import type { GraphQLSchema } from 'graphql'
import type { PolicyTable } from '../../directives/policy.ts'
import { firstDetail } from '../model/limit-details.ts'
import { MAX_PAGE } from '../model/list.ts'
import { type AskedOperation, type Cost, costOf } from './cost.ts'
import { pageSizes } from './page-sizes.ts'

// Details of an operation that asks for too much, with the measured and the allowed numbers.

const LESS = 'Select fewer fields, or request smaller pages with `first` and continue with `after`.'

/** The detail of an operation beyond `most`. A page beyond the maximum of any caller is named first. */
export function costDetail(schema: GraphQLSchema, policy: PolicyTable, asked: AskedOperation, most: Cost): string {
  const page = pageDetail(schema, asked, MAX_PAGE)
  const { values, places } = costOf(schema, policy, asked)
  const [measured, allowed, things] =
    values > most.values ? [values, most.values, 'values'] : [places, most.places, 'places of the answer']
  const count = Number.isFinite(measured) ? `up to ${measured}` : 'more than 10000'
  const setting = things === 'values' ? '`operation` of `PHI_LIMITS`' : '`answer.places` of `PHI_LIMITS`'
  return `${page === undefined ? '' : `${page} `}The operation could return ${count} ${things}; the maximum is ${allowed}. ${LESS} The setting is ${setting}.`
}

/** The detail of the first page that is larger than `most`. */
export function pageDetail(schema: GraphQLSchema, { document, name, variables }: AskedOperation, most: number): string | undefined {
  const page = pageSizes(schema, document, name, variables, 'AS_GIVEN').find(({ size = 0 }) => size > most)
  return page && `${firstDetail(page.size, most)} The field is \`${page.coordinate}\`.`
}

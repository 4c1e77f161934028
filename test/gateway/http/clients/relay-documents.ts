/** Documents of an app with Relay, by file: fragments, two pagination fragments, and a refetch through `node`. */
export const RELAY_DOCUMENTS: Readonly<Record<string, string>> = {
  'chart.ts': `
import { graphql } from 'relay-runtime'

export const CHART = graphql\`
  query chartQuery($id: ID!) {
    patient(id: $id) {
      id
      ...chart_person
      ...chart_observations
    }
  }
\`

export const PERSON = graphql\`
  fragment chart_person on Patient @refetchable(queryName: "chartPersonQuery") {
    familyName
    birthDate
  }
\`

export const OBSERVATIONS = graphql\`
  fragment chart_observations on Patient
  @refetchable(queryName: "chartObservationsQuery")
  @argumentDefinitions(
    first: { type: "Int", defaultValue: 10 }
    after: { type: "String" }
    since: { type: "DateTime" }
  ) {
    observations(first: $first, after: $after, since: $since) @connection(key: "chart_observations", filters: ["since"]) {
      edges {
        node {
          id
          category
          effectiveDateTime
          valueQuantity {
            value
            unit
          }
        }
      }
      mayBeIncomplete
    }
  }
\`
`,
  'panel.ts': `
import { graphql } from 'relay-runtime'

export const PANEL = graphql\`
  query panelQuery {
    ...panel_patients
    viewer {
      userId
    }
  }
\`

export const PATIENTS = graphql\`
  fragment panel_patients on Query
  @refetchable(queryName: "panelPatientsQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" }) {
    patients(first: $first, after: $after) @connection(key: "panel_patients") {
      edges {
        node {
          id
          ...chart_person
        }
      }
    }
  }
\`
`,
}

/** Uses the types that the compiler generates. The last statement must not compile. */
export const RELAY_USE = `
import type { chartQuery } from './__generated__/chartQuery.graphql'
import type { chart_observations$data } from './__generated__/chart_observations.graphql'

export const variables: chartQuery['variables'] = { id: 'patient' }
export const datesOf = ({ observations }: chart_observations$data): (string | null | undefined)[] =>
  observations?.edges.map(({ node }) => node?.effectiveDateTime) ?? []
// @ts-expect-error a denied list is null
export const countOf = ({ observations }: chart_observations$data): number => observations.edges.length
`

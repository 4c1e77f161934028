import { panelOf, patientOf, recordById, recordsOf, type Resolvers } from '../../gateway/index.ts'

/** Roots and edges. There is no resolver for a value: each is generated from its line in the schema. */
export const dentalResolvers: Resolvers = {
  Query: {
    client: recordById('Client'),
    clients: panelOf('Client'),
    treatment: recordById('Treatment'),
  },
  Client: { treatments: recordsOf('Treatment') },
  Treatment: { client: patientOf('Client') },
}

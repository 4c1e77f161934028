import { panelOf, patientOf, recordById, recordsOf, type Resolvers } from '../../gateway/index.ts'

/** The resolvers of roots and edges. The gateway generates the resolver of each value from the schema. */
export const dentalResolvers: Resolvers = {
  Query: {
    client: recordById('Client'),
    clients: panelOf('Client'),
    treatment: recordById('Treatment'),
  },
  Client: { treatments: recordsOf('Treatment') },
  Treatment: { client: patientOf('Client') },
}

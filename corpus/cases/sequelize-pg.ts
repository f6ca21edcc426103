import { DataTypes, Op, Sequelize } from 'sequelize';

export const about = {
  package: 'sequelize',
  covers: 'query builder; dialect and driver by computed requires',
  asks: 'the dialect and its driver are required when the connection is made, the driver by a computed name',
  requests: 3,
};

export function run(): unknown {
  const db = new Sequelize({ dialect: 'postgres', logging: false });
  const User = db.define('User', { name: { type: DataTypes.STRING, allowNull: false }, born: DataTypes.DATEONLY }, { timestamps: false });
  const generator = (db.getQueryInterface() as unknown as { queryGenerator: Record<string, (...args: unknown[]) => unknown> })
    .queryGenerator;
  const select = generator['selectQuery']?.(
    'Users',
    { where: { name: { [Op.iLike]: "o'%" }, id: [1, 2] }, order: [['id', 'DESC']], limit: 3 },
    User,
  );
  return {
    select,
    table: User.getTableName(),
    wrong: User.build({}).get(),
    add: generator['addColumnQuery']?.('Users', 'x', { type: 'INTEGER' }),
  };
}

import 'reflect-metadata';
import { Container, inject, injectable } from 'inversify';

export const about = { package: 'inversify', covers: 'decorators, metadata, a package that patches globals (reflect-metadata)' };

class Engine {
  power = 90;
}
class Car {
  engine: Engine;
  constructor(engine: Engine) {
    this.engine = engine;
  }
}
injectable()(Engine);
injectable()(Car);
inject('Engine')(Car, undefined, 0);

export function run(): unknown {
  const container = new Container();
  container.bind('Engine').to(Engine).inSingletonScope();
  container.bind(Car).toSelf();
  const car = container.get(Car);
  Reflect.defineMetadata('k', 1, Car);
  return { power: car.engine.power, same: container.get(Car).engine === car.engine, meta: Reflect.getMetadata('k', Car), name: Car.name };
}

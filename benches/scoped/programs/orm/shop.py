"""A shop's customers, products and orders, in SQLAlchemy's ORM."""

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")


class Product(Base):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[int]
    stock: Mapped[int]

    def take(self, count):
        if self.stock < count:
            self.restock()
        self.stock -= count
        return self.price * count

    def restock(self):
        self.stock += 100


class Order(Base):
    __tablename__ = "purchase"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship(back_populates="orders")
    items: Mapped[list["Item"]] = relationship(back_populates="order")

    def total(self):
        return sum(item.amount for item in self.items)


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("purchase.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    amount: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="items")
    product: Mapped[Product] = relationship()


def open_shop(session):
    session.add_all(Customer(name=f"customer {number}") for number in range(20))
    session.add_all(
        Product(name=f"product {number}", price=3 * number + 5, stock=50) for number in range(30)
    )
    session.commit()


def place_order(session, customer, wanted):
    """Sells what is `wanted`: numbers of products, and how many of each."""
    order = Order(customer=session.get_one(Customer, customer))
    session.add(order)
    for number, count in wanted.items():
        product = session.get_one(Product, number)
        order.items.append(Item(product=product, amount=product.take(count)))
    session.commit()
    return order.total()


def best_customers(session, count):
    spent = func.sum(Item.amount)
    query = (
        select(Customer.name, spent)
        .join(Order, Order.customer_id == Customer.id)
        .join(Item, Item.order_id == Order.id)
        .group_by(Customer.id)
        .order_by(spent.desc())
        .limit(count)
    )
    return session.execute(query).all()


def invoice(session, customer):
    query = (
        select(Order)
        .where(Order.customer_id == customer)
        .order_by(Order.id.desc())
        .limit(5)
        .options(selectinload(Order.items).joinedload(Item.product))
    )
    return [line(order) for order in session.scalars(query)]


def line(order):
    names = ", ".join(item.product.name for item in order.items)
    return f"{order.id}: {names}: {order.total()}"

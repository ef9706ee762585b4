//! The names that people are given, the most common first: the generator prefers the front of a list.

#[rustfmt::skip]
pub(super) const WOMEN: &[&str] = &[
    "María", "Ana", "Juana", "Rosa", "Lucía", "Sofía", "Martina", "Silvia", "Susana", "Mónica",
    "Graciela", "Marta", "Norma", "Patricia", "Claudia", "Laura", "Andrea", "Carolina", "Florencia",
    "Camila", "Micaela", "Agustina", "Valentina", "Julieta", "Victoria", "Paula", "Gabriela",
    "Verónica", "Natalia", "Romina", "Cecilia", "Mariana", "Alejandra", "Beatriz", "Alicia",
    "Elena", "Teresa", "Carmen", "Inés", "Lorena", "Noelia", "Belén", "Rocío", "María José",
    "María Belén", "María del Carmen", "María de los Ángeles", "Ana María", "Rosa María",
    "Milagros", "Guadalupe", "Delfina", "Catalina", "Josefina", "Antonella", "Abril", "Zoe",
    "Ludmila", "Jazmín", "Morena", "Brenda", "Daiana", "Yésica", "Nélida", "Elsa", "Irma", "Olga",
    "Ofelia", "Ramona", "Dolores", "Concepción", "Mercedes", "Pilar", "Soledad", "Consuelo",
    "Estefanía", "Débora", "Mirtha", "Gladys", "Zulma", "Begoña", "Aimé", "Ailén", "Nahir", "Suyay",
    "Noemí", "Raquel", "Miriam", "Úrsula",
];

#[rustfmt::skip]
pub(super) const MEN: &[&str] = &[
    "Juan", "José", "Carlos", "Luis", "Jorge", "Miguel", "Santiago", "Mateo", "Agustín", "Joaquín",
    "Nicolás", "Martín", "Matías", "Facundo", "Lucas", "Tomás", "Francisco", "Daniel", "Roberto",
    "Ricardo", "Eduardo", "Héctor", "Raúl", "Oscar", "Rubén", "Mario", "Hugo", "Pablo", "Diego",
    "Sebastián", "Gustavo", "Marcelo", "Alejandro", "Fernando", "Sergio", "Claudio", "Gabriel",
    "Cristian", "Maximiliano", "Ezequiel", "Gonzalo", "Federico", "Ignacio", "Juan Ignacio",
    "Juan Cruz", "Juan Manuel", "José María", "José Luis", "Juan Carlos", "Luis Alberto",
    "Miguel Ángel", "Ángel", "Ramón", "Domingo", "Vicente", "Antonio", "Pedro", "Manuel", "Andrés",
    "Adrián", "Leandro", "Emiliano", "Thiago", "Benjamín", "Bautista", "Valentín", "Lautaro",
    "Nahuel", "Brian", "Kevin", "Jonathan", "Germán", "Hernán", "Damián", "Fabián", "Julián",
    "Iván", "Román", "Simón", "Ramiro", "Osvaldo", "Norberto", "Néstor", "Omar", "Ariel", "Darío",
    "Íñigo", "Benigno", "Ceferino", "Atahualpa", "Huenu", "Toño", "Günther", "Lisandro", "Saúl",
];

#[rustfmt::skip]
pub(super) const SURNAMES: &[&str] = &[
    "González", "Rodríguez", "Gómez", "Fernández", "López", "Díaz", "Martínez", "Pérez", "Romero",
    "Sánchez", "García", "Sosa", "Torres", "Ruiz", "Ramírez", "Álvarez", "Benítez", "Flores",
    "Acosta", "Medina", "Herrera", "Suárez", "Aguirre", "Giménez", "Gutiérrez", "Pereyra", "Rojas",
    "Molina", "Castro", "Ortiz", "Silva", "Núñez", "Luna", "Juárez", "Cabrera", "Ríos", "Morales",
    "Godoy", "Moreno", "Ferreyra", "Domínguez", "Carrizo", "Peralta", "Castillo", "Ledesma",
    "Quiroga", "Vega", "Vera", "Muñoz", "Ojeda", "Ponce", "Villalba", "Cardozo", "Navarro",
    "Coronel", "Vázquez", "Ramos", "Vargas", "Cáceres", "Arias", "Figueroa", "Córdoba", "Correa",
    "Maldonado", "Paz", "Rivero", "Miranda", "Mansilla", "Farías", "Lucero", "Roldán", "Méndez",
    "Guzmán", "Agüero", "Hernández", "Lucena", "Páez", "Blanco", "Mendoza", "Barrios", "Escobar",
    "Ávila", "Soria", "Leiva", "Acuña", "Maidana", "Moyano", "Campos", "Olivera", "Duarte", "Soto",
    "Franco", "Bravo", "Valdez", "Toledo", "Velázquez", "Montenegro", "Peña", "Ibáñez", "Ibarra",
    "Cejas", "Bustos", "Aranda", "Zárate", "Ordóñez", "Yáñez", "Quispe", "Mamani", "Condori",
    "Chávez", "Galván", "Rossi", "Bianchi", "Ferrari", "Esposito", "Russo", "Romano", "Colombo",
    "Ricci", "Marino", "Greco", "Bruno", "Gallo", "Conti", "De Luca", "D'Angelo", "D'Amico",
    "Dell'Oro", "Di Stéfano", "Di Pietro", "De la Cruz", "De la Fuente", "Del Valle", "Ñancupil",
    "Ñanco", "Ñáñez", "Huenchul", "Millapán", "Nahuelquín", "Curiñanco", "Catrileo", "Schmidt",
    "Müller", "Weiß", "Wagner", "Kowalski", "Horvat", "O'Donnell", "Mac Gregor", "Haddad", "Khoury",
    "Levy", "Goldberg", "Kim", "Oyarzábal", "Etcheverry", "Irigoyen", "Goñi", "Iñíguez", "Echagüe",
    "Güiraldes", "Saravia", "Antúnez", "Noguera", "Piñeyro", "Patiño", "Saldaño", "Zúñiga", "Çelik",
    "Conceição", "Fontanarrosa", "Cortázar", "Bioy", "Lynch",
];

#[rustfmt::skip]
pub(super) const WOMEN_NICKNAMES: &[&str] = &[
    "Tita", "Chela", "Pocha", "Coca", "Beba", "Lola", "Nené", "Ñata",
];

#[rustfmt::skip]
pub(super) const MEN_NICKNAMES: &[&str] = &[
    "Tito", "Cacho", "Beto", "Pepe", "Pancho", "Lito", "Coco", "Ñato",
];
